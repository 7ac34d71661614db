// A picture says in words what it shows, for who does not see it, and can be read on a light and on a dark page.
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { DOCUMENTS, read } from './documents.ts'

const pictures = ['docs', 'docs/pictures', 'docs/pictures/bench'].flatMap((folder) =>
  readdirSync(inRoot(folder)).flatMap((name) => (name.endsWith('.svg') ? [`${folder}/${name}`] : [])),
)

/** What pages are made of, in the site and on GitHub. */
const PAGES = { light: ['#ffffff'], dark: ['#1b1b1f', '#0d1117'] }

test('there is something to check', () => {
  expect(pictures.length).toBeGreaterThan(20)
  expect(plots.length).toBeGreaterThan(15)
  expect(contrast('#ffffff', '#000000')).toBe(21)
  expect(contrast('#cccccc', '#ffffff')).toBeLessThan(2)
})

test.each(pictures)('%s has a name, and text that can be read', (file) => {
  const svg = read(file)
  expect(svg).toMatch(/ role="img" (aria-label="[^"]|aria-labelledby="title desc")/)
  if (svg.includes('aria-labelledby')) expect(svg).toMatch(/<title id="title">[^<]+<\/title>\s*<desc id="desc">[^<]+</)
  const [light = '', dark = ''] = svg.split('prefers-color-scheme: dark')
  for (const [style, pages] of [[light, PAGES.light] as const, [dark, PAGES.dark] as const]) {
    const colours = Array.from(
      style.matchAll(/(?:^|\s)(?:text|\.note|\.stop-text) \{[^}]*fill: (#\w{6})/g),
      ([, it = '']) => it,
    )
    expect(colours.length).toBeGreaterThan(1)
    for (const colour of colours) {
      for (const page of pages) expect.soft(contrast(colour, page), `${colour} on ${page}`).toBeGreaterThan(4.5)
    }
  }
})

const plots = pictures.filter((file) => read(file).includes('.bar {'))

test.each(plots)('%s has bars that stand out from the page, and whiskers that stand out from both', (file) => {
  const [light = '', dark = ''] = read(file).split('prefers-color-scheme: dark')
  for (const [style, pages] of [[light, PAGES.light] as const, [dark, PAGES.dark] as const]) {
    const [bar = '', ours = '', whisker = ''] = ['bar', 'ours', 'whisker'].map(
      (name) => style.match(`\\.${name} \\{ \\w+: (#\\w{6})`)?.[1],
    )
    const pairs = pages.flatMap((page) => [bar, ours, whisker].map((colour) => [colour, page]))
    for (const [one = '', other = ''] of [...pairs, [whisker, bar], [whisker, ours]]) {
      expect.soft(contrast(one, other), `${one} on ${other}`).toBeGreaterThan(3)
    }
  }
})

test.each(DOCUMENTS)('every picture in %s is described', (document) => {
  for (const [image, words = ''] of read(document).matchAll(/!\[([^\]]*)\]\(/g)) expect.soft(words, image).toMatch(/\w/)
})

/** As WCAG 2 has it: 4.5 is enough for text, and 3 for what else has to be seen. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
