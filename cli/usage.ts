// What the command line accepts: `parseArgs` of Node's own, and its errors in one line that names the nearest right
// word, as whoever mistyped one needs it.
import { type ParseArgsConfig, parseArgs } from 'node:util'

/** The command line is wrong: one line to say so, and exit code 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values']

/** The values of a command's flags. Commands take no other arguments. */
export function parseFlags<O extends Options>(command: string, args: string[], options: O): Values<O> {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(`tabport ${command}: ${explain(error as Error & { code?: string }, options)}`)
  }
}

/** Node's messages have further sentences, with advice that does not fit here. */
function explain(error: Error & { code?: string }, options: Options): string {
  const unknown = error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && /'(-[^']*)'/.exec(error.message)?.[1]
  if (!unknown) return `${error.message.split(/\.?\n|\. /)[0]}.`
  const flags = Object.keys(options).map((name) => `--${name}`)
  return `there is no ${unknown}.${suggest(unknown, flags)}`
}

/** ` Did you mean X?`, if one of the words is near enough to be a slip of the fingers. */
export function suggest(word: string, words: readonly string[]): string {
  const near = words
    .map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0]
  return near && near.distance <= Math.max(1, word.length / 3) ? ` Did you mean ${near.candidate}?` : ''
}

/** How many letters must be added, removed or replaced (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1]
    for (const [column, other] of [...to].entries()) {
      const replaced = row[column]! + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, row[column + 1]! + 1, next[column]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
