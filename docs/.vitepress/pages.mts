// Which pages the site has, and where each is found: its files are named as GitHub's readers know them, its addresses
// as readers of a site expect them.
import { fileURLToPath } from 'node:url'

export const docs = fileURLToPath(new URL('..', import.meta.url))

const IN_CAPITALS = ['ARCHITECTURE', 'BENCHMARKS', 'CLI', 'CMUX-PROXY', 'DEPLOYING', 'HEADROOM-PROXY', 'NPM', 'TESTING']

/** What is shown at another address than its file's name says. */
export const REWRITES: Record<string, string> = Object.fromEntries(
  IN_CAPITALS.map((name) => [`${name}.md`, `${name.toLowerCase()}.md`]),
)

interface Group {
  text: string
  items: { text: string; link: string }[]
}

/** The sidebar. */
export const guide: Group[] = [
  group('Start', {
    '/getting-started': 'Getting started',
    '/how-it-works': 'How it works',
    '/recipes': 'Electron recipes',
    '/routes': 'Routes and presets',
    '/https': 'HTTPS',
    '/limits': 'Limits and versions',
  }),
  group('Beyond Electron', {
    '/cli': 'The command tabport',
    '/testing': 'Tests: Playwright, Puppeteer',
    '/gateway': 'The workspace gateway',
    '/reverse-proxy': 'The reverse proxy',
  }),
  group('In production', {
    '/security': 'Security',
    '/performance': 'Performance',
    '/migration': 'Migration',
    '/troubleshooting': 'Troubleshooting',
  }),
  group('In detail', {
    '/architecture': 'Architecture',
    '/npm': 'The npm package',
    '/cmux-proxy': 'cmux-proxy',
    '/deploying': 'Running cmux-proxy',
    '/headroom-proxy': 'headroom-proxy',
    '/benchmarks': 'Benchmarks',
  }),
]

function group(text: string, pages: Record<string, string>): Group {
  return { text, items: Object.entries(pages).map(([link, title]) => ({ text: title, link })) }
}
