// Links lead somewhere as GitHub shows the documents: to a file that exists, and to a heading in it. What leads out is
// `https:`, and asked for by the workflow alone.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { anchorOf } from '../../docs/.vitepress/links.mts'
import { guide } from '../../docs/.vitepress/pages.mts'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { DOCUMENTS, prose, withoutBlocks } from './documents.ts'

const MAIN = /^https:\/\/github\.com\/tabport\/tabport\/(?:blob|tree|edit)\/main\//
const SITE = 'https://tabport.github.io/tabport/'
const PAGES = ['', ...guide.flatMap(({ items }) => items.map(({ link }) => link.slice(1)))]
const OTHERS = ['CONTRIBUTING.md', 'RELEASING.md', 'CHANGELOG.md', 'examples/README.md']
const LINK = /(?:\]\(|\b(?:href|src)=["']?)([^)\s"'>]+)/g

const linksOf = (document: string): string[] => Array.from(prose(document).matchAll(LINK), ([, link = '']) => link)

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(document: string): string[] {
  const headings = Array.from(withoutBlocks(document).matchAll(/^#{1,6} +(.*)$/gm), ([, text = '']) => text)
  const seen = new Map<string, number>()
  return headings.map((heading) => {
    const anchor = anchorOf(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'))
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  })
}

/** What is wrong with a link in a document, if anything is. */
function wrong(link: string, document: string): string | undefined {
  if (MAIN.test(link)) return wrongFile(link.replace(MAIN, ''))
  if (link.startsWith(SITE)) return PAGES.includes(link.slice(SITE.length)) ? undefined : 'is no page of the site'
  if (/^[a-z]+:/.test(link)) return link.startsWith('https://') ? undefined : 'is not https'
  const [target = '', anchor] = link.split('#')
  const file = target ? path.posix.join(path.posix.dirname(document), target) : document
  return wrongFile(file) ?? (anchor && file.endsWith('.md') ? wrongAnchor(anchor, file) : undefined)
}

const wrongFile = (link: string): string | undefined =>
  existsSync(inRoot(link.split('#')[0] ?? '')) ? undefined : 'leads to no file'

const wrongAnchor = (anchor: string, file: string): string | undefined =>
  anchorsOf(file).includes(anchor) ? undefined : `leads to no heading of ${file}`

const linked = [...DOCUMENTS, ...OTHERS].map((document) => ({ document, links: linksOf(document) }))

test.each(linked.filter(({ links }) => links.length > 0))('every link in $document leads somewhere', (each) => {
  for (const link of each.links) expect.soft(wrong(link, each.document), link).toBe(undefined)
})

test.each([
  'nowhere.md',
  '../docs/CLI.md#nothing',
  '#nothing',
  'http://example.com',
  'https://github.com/tabport/tabport/blob/main/no',
  'https://tabport.github.io/tabport/no',
])('%s would be found', (link) => expect(wrong(link, 'docs/CLI.md')).toBeTypeOf('string'))
