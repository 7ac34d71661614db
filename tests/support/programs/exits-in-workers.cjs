// Rounds of worker threads that start a proxy, open a tunnel through it, and exit while it runs and waits for an
// answer.
const { Worker, isMainThread, workerData } = require('worker_threads')
const http = require('http')
const net = require('net')
const { ProxyServer } = require('../../../index.js')

const [ROUNDS, WORKERS] = [3, 20]

if (isMainThread) main()
else work(workerData)

async function main() {
  const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise((resolve) => echo.listen(0, '127.0.0.1', resolve))
  for (let round = 0; round < ROUNDS; round += 1) {
    const codes = await Promise.all(Array.from({ length: WORKERS }, () => run(echo.address().port)))
    console.log(JSON.stringify(codes))
  }
  echo.close()
}

function run(port) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: port })
    worker.once('error', reject)
    worker.once('exit', resolve)
  })
}

async function work(port) {
  let asked
  const question = new Promise((resolve) => (asked = resolve))
  const upstreamProxy = () => new Promise(asked)
  const proxy = await ProxyServer.listen({ onEvent: () => {}, upstreamProxy })
  const { username, password } = proxy.createContext(1)
  const headers = { 'Proxy-Authorization': `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
  const options = { host: '127.0.0.1', port: proxy.port(), method: 'CONNECT', headers }
  const unanswered = http.request({ ...options, path: 'site.example:443' })
  unanswered.on('error', () => {}).end()
  await question
  const request = http.request({ ...options, path: `127.0.0.1:${port}` })
  request.once('connect', (response, socket) => {
    socket.once('data', () => process.exit(response.statusCode === 200 ? 7 : 8))
    socket.write('through the tunnel')
  })
  request.end()
}
