// Links as they are written for GitHub, from file to file, lead to the same places in the site: to a page's address, or,
// where there is no page, to the file on GitHub. Headings have the anchors that GitHub gives them.
import path from 'node:path'
import type MarkdownIt from 'markdown-it'
import { docs, REWRITES } from './pages.mts'

const REPOSITORY = 'https://github.com/tabport/tabport/blob/main/'
const ELSEWHERE = /^([a-z]+:|#|\/)/

/** The anchor of a heading, as GitHub makes it of the heading's text. */
export const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')

/** Where a link in the page of this file leads in the site. */
export function addressOf(href: string, file: string): string {
  if (ELSEWHERE.test(href)) return href
  const [target = '', anchor = ''] = href.split(/(?=#)/)
  const found = path.relative(docs, path.resolve(path.dirname(file), target)).replaceAll(path.sep, '/')
  if (found.startsWith('../') || !found.endsWith('.md'))
    return `${REPOSITORY}${path.posix.join('docs', found)}${anchor}`
  return `/${REWRITES[found] ?? found}${anchor}`
}

export function links(markdown: MarkdownIt): void {
  markdown.core.ruler.push('links', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' && token.attrGet('href')
      if (href) token.attrSet('href', addressOf(href, env.realPath ?? env.path))
    }
  })
}
