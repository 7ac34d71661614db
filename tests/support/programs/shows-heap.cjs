// Uses a proxy whose authority is kept in the folder given, in every way that has to do with certificates, and prints
// all that JavaScript has seen of it, and then the whole heap.
const http = require('node:http')
const tls = require('node:tls')
const v8 = require('node:v8')
const { ProxyServer } = require('../../../index.js')

const seen = { events: [], errors: [], bytes: [] }
const failed = (error) => seen.errors.push(String(error), JSON.stringify(error))

async function use(proxy) {
  const context = proxy.createContext(1, { upstream: 'http://127.0.0.1:1' })
  const authority = proxy.certificateAuthority()
  const credentials = Buffer.from(`${context.username}:${context.password}`).toString('base64')
  const headers = { 'Proxy-Authorization': `Basic ${credentials}` }
  for (const ca of [authority.pem, undefined]) {
    const request = http.request({ port: proxy.port(), method: 'CONNECT', path: 'localhost:3000', headers }).end()
    const socket = await new Promise((resolve) => request.once('connect', (_response, socket) => resolve(socket)))
    await new Promise((resolve) => {
      const secure = tls.connect({ socket, ca, host: 'localhost' }).once('close', resolve).once('error', failed)
      secure.once('secureConnect', () =>
        secure.write('GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\n\r\n'),
      )
      secure.on('data', (bytes) => seen.bytes.push(String(bytes)))
    })
  }
}

async function main(directory) {
  const onEvent = (event) => seen.events.push(JSON.stringify(event))
  const proxy = await ProxyServer.listen({ certificates: { directory }, onEvent })
  await ProxyServer.listen({ certificates: { directory: `${directory}/authority.pem` } }).catch(failed)
  await use(proxy)
  seen.given = [proxy.certificateAuthority(), proxy.stats(), proxy.port()]
  await proxy.stop()
  process.stdout.write(JSON.stringify(seen))
  v8.getHeapSnapshot().pipe(process.stdout)
}

main(process.argv[2])
