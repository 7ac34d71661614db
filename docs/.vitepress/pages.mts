// Which pages the site has, and where each is found: its files are named as GitHub's readers know them, its addresses
// as readers of a site expect them.
import { fileURLToPath } from 'node:url'

export const docs = fileURLToPath(new URL('..', import.meta.url))

/** What is shown at another address than its file's name says. */
export const REWRITES: Record<string, string> = {
  'ARCHITECTURE.md': 'architecture.md',
  'BENCHMARKS.md': 'benchmarks.md',
  'CLI.md': 'cli.md',
  'CMUX-PROXY.md': 'cmux-proxy.md',
  'DEPLOYING.md': 'deploying.md',
  'HEADROOM-PROXY.md': 'headroom-proxy.md',
  'NPM.md': 'npm.md',
  'TESTING.md': 'testing.md',
}

interface Page {
  text: string
  link: string
}

interface Group {
  text: string
  items: Page[]
}

/** The sidebar. */
export const guide: Group[] = [
  {
    text: 'Start',
    items: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'How it works', link: '/how-it-works' },
      { text: 'Electron recipes', link: '/recipes' },
      { text: 'Routes and presets', link: '/routes' },
      { text: 'HTTPS', link: '/https' },
      { text: 'Limits and versions', link: '/limits' },
    ],
  },
  {
    text: 'Beyond Electron',
    items: [
      { text: 'The command tabport', link: '/cli' },
      { text: 'Tests: Playwright, Puppeteer', link: '/testing' },
      { text: 'The workspace gateway', link: '/gateway' },
      { text: 'The reverse proxy', link: '/reverse-proxy' },
    ],
  },
  {
    text: 'In production',
    items: [
      { text: 'Security', link: '/security' },
      { text: 'Performance', link: '/performance' },
      { text: 'Migration', link: '/migration' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
    ],
  },
  {
    text: 'In detail',
    items: [
      { text: 'Architecture', link: '/architecture' },
      { text: 'The npm package', link: '/npm' },
      { text: 'cmux-proxy', link: '/cmux-proxy' },
      { text: 'Running cmux-proxy', link: '/deploying' },
      { text: 'headroom-proxy', link: '/headroom-proxy' },
      { text: 'Benchmarks', link: '/benchmarks' },
    ],
  },
]
