// A program that the app starts, such as curl, has a workspace's localhost, too.
import { spawn } from 'node:child_process'
import type { ProxyContextInfo, ProxyServer } from 'tabport'

export function startIn(context: ProxyContextInfo, server: ProxyServer, command: string, args: string[]) {
  const proxy = `http://${context.username}:${context.password}@127.0.0.1:${server.port()}`
  const proxies = { http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy }
  const env = { ...process.env, ...proxies, no_proxy: '', NO_PROXY: '' }
  const child = spawn(command, args, { env })
  child.once('close', () => server.releaseContext(context.id))
  return child
}
