// What search engines and link previews show of a page: its first paragraph, and for the API that it is one.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { PageData } from 'vitepress'
import { docs } from './pages.mts'

/** Enough for the two lines that anybody shows. */
const LENGTH = 160

export function described({ filePath, frontmatter }: PageData): Partial<PageData> {
  const titleTemplate = filePath.startsWith('api/') ? ':title | API | tabport' : undefined
  if (frontmatter.layout === 'home') return {}
  return { titleTemplate, description: firstParagraph(readFileSync(path.join(docs, filePath), 'utf8')) }
}

/** The first paragraph of prose, without its marks, cut between two words. */
export function firstParagraph(markdown: string): string {
  const prose = markdown.replace(/^( *)```[\s\S]*?^\1```$/gm, '').split(/\n{2,}/)
  const first = prose.find((part) => /^[\p{L}`*[]/u.test(part.trim())) ?? ''
  const plain = first
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return plain.length > LENGTH ? `${plain.slice(0, LENGTH).replace(/[ ,;:]+\S*$/, '')} …` : plain
}
