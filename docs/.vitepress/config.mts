// The documentation's site: docs/*.md, and what typedoc makes of the package's types. `npm run docs` builds it.
import { defineConfig } from 'vitepress'
import { apiSidebar } from './api.mts'
import { described } from './described.mts'
import { anchorOf, links } from './links.mts'
import { guide, REWRITES } from './pages.mts'

export default defineConfig({
  title: 'tabport',
  description: 'Every tab of your Electron app gets its own localhost.',
  lang: 'en',
  base: '/tabport/',
  outDir: '../target/docs/site',
  cacheDir: '../target/docs/cache',
  cleanUrls: true,
  transformPageData: described,
  rewrites: REWRITES,
  head: [['link', { rel: 'icon', href: '/tabport/icon.svg', type: 'image/svg+xml' }]],
  markdown: {
    anchor: { slugify: anchorOf },
    config: links,
  },
  themeConfig: {
    logo: { src: '/icon.svg', alt: '' },
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: '^/(?!api/)' },
      { text: 'API', link: '/api/tabport', activeMatch: '^/api/' },
    ],
    sidebar: { '/api/': apiSidebar(), '/': guide },
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: 'https://github.com/tabport/tabport' }],
    editLink: { pattern: 'https://github.com/tabport/tabport/edit/main/docs/:path', text: 'Edit this page' },
    footer: { message: 'MIT licence' },
  },
})
