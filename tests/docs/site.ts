// The site as it is published: built, and served as GitHub Pages does it.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { inRoot } from '../../scripts/lib/paths.mjs'

const BASE = '/tabport/'
const folder = inRoot('target', 'docs', 'site')
const notFound = path.join(folder, '404.html')

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** Builds it as `npm run docs` does. Whatever typedoc or VitePress warn of is an error there. */
export function build(): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/docs.mjs'], {
    cwd: inRoot(),
    encoding: 'utf8',
  })
  return { status, said: `${stdout}${stderr}` }
}

/** The addresses of all pages, below the origin. */
export function pages(): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const html = files.filter((file) => file.endsWith('.html') && file !== '404.html')
  return html.map((file) => `${BASE}${file.replaceAll(path.sep, '/').replace(/(index)?\.html$/, '')}`).sort()
}

/** What typedoc makes of one export: these pages are all of one kind, and too many to open each. */
export const isOneOfMany = (page: string): boolean =>
  /\/api\/tabport\/.*[A-Z]|\/presets\/./.test(page) && !/\/ProxyServer$/.test(page)

/** The anchors of a page, and its links that stay in the site, as they stand in its file. */
export function anchorsAndLinks(page: string): { ids: string[]; links: string[] } {
  const html = readFileSync(fileOf(page) as string, 'utf8')
  const values = (name: string) =>
    Array.from(html.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g')), ([, value = '']) => value)
  const absolute = (link: string) => (link.startsWith('#') ? `${page}${link}` : link)
  return {
    ids: values('id'),
    links: values('href')
      .map(absolute)
      .filter((link) => isOfPage(link)),
  }
}

const isOfPage = (link: string): boolean => link.startsWith(BASE) && !/\.\w+$/.test(link)

export interface Site {
  origin: string
  close(): Promise<void>
}

export async function serve(): Promise<Site> {
  const server = createServer(({ url = '' }, response) => {
    const file = fileOf(new URL(url, 'http://localhost').pathname)
    if (!file) return response.writeHead(404, { 'content-type': TYPES['.html'] }).end(readFileSync(notFound))
    response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream').end(readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()).closeAllConnections())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

/** GitHub Pages finds `page.html` for `page`. */
function fileOf(pathname: string): string | undefined {
  if (!pathname.startsWith(BASE)) return undefined
  const name = path.join(folder, decodeURI(pathname.slice(BASE.length)))
  const names = pathname.endsWith('/') ? [path.join(name, 'index.html')] : [name, `${name}.html`]
  return names.find((each) => path.extname(each) && existsSync(each))
}
