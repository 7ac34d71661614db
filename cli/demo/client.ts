// The demo without any browser: Node's own client, which sends the URL to the proxy with a context's credentials.
import { request } from 'node:http'
import type { ProxyContextInfo } from 'tabport'

/** The heading of the page at a URL, as this context sees it. */
export function fetchHeading(url: string, port: number, { username, password }: ProxyContextInfo): Promise<string> {
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = { Host: new URL(url).host, 'Proxy-Authorization': `Basic ${credentials}` }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: url, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => (text += part))
      response.once('end', () => resolve(/<h1>(.*)<\/h1>/.exec(text)?.[1] ?? `status ${response.statusCode}`))
    })
    asked.once('error', reject).end()
  })
}
