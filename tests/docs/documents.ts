// What readers are shown: README.md and the pages under docs/, without what typedoc generates.
import { readdirSync, readFileSync } from 'node:fs'
import { inRoot } from '../../scripts/lib/paths.mjs'

export const DOCUMENTS = ['README.md', ...readdirSync(inRoot('docs')).filter(isPage).map(inDocs).sort()]

export const read = (file: string): string => readFileSync(inRoot(file), 'utf8')

function isPage(name: string): boolean {
  return name.endsWith('.md')
}

function inDocs(name: string): string {
  return `docs/${name}`
}

/** A fenced block of code. */
export interface Block {
  /** Document and line. */
  at: string
  language: string
  /** The file that it says it is from. */
  from: string | undefined
  text: string
}

export const blocks = DOCUMENTS.flatMap(blocksOf)

function blocksOf(document: string): Block[] {
  const lines = read(document).split('\n')
  const found: Block[] = []
  for (let line = 0; line < lines.length; line++) {
    const [, indent, language] = lines[line]!.match(/^( *)```(\S*)/) ?? []
    if (indent === undefined) continue
    const end = lines.indexOf(`${indent}\`\`\``, line + 1)
    if (end < 0) throw new Error(`${document}:${line + 1} has no end`)
    const [, from] = lines[line - 1]?.match(/<!-- from (\S+) -->/) ?? []
    const text = lines.slice(line + 1, end).map((each) => each.slice(indent.length))
    found.push({ at: `${document}:${line + 1}`, language: language ?? '', from, text: text.join('\n') })
    line = end
  }
  return found
}

/** A document without its blocks of code. */
export const withoutBlocks = (document: string): string => read(document).replace(/^( *)```[\s\S]*?^\1```$/gm, '')

/** A document without code of any kind. */
export const prose = (document: string): string => withoutBlocks(document).replace(/(`+)[^`]+\1/g, '')
