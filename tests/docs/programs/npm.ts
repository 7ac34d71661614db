import { execFileSync } from 'node:child_process'
import { ProxyServer } from 'tabport'

const proxy = await ProxyServer.start('127.0.0.1:0', true)
const { username, password } = proxy.createContext(1, { upstream: 'http://127.18.0.1:{port}' })
const address = `http://${username}:${password}@127.0.0.1:${proxy.port()}`
const args = ['--silent', '--noproxy', '', '--proxy', address, 'http://localhost:3000/']
console.log(execFileSync('curl', args, { encoding: 'utf8' }))
await proxy.stop()
