// Whether something was built from exactly these inputs: by content, because a fresh clone has no useful times.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cache, inRoot } from './paths.mjs'

/** A digest over the names and contents of all files under the given paths of the repository. */
export function fingerprint(paths) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const file of paths.flatMap((name) => files(inRoot(name)))) {
    hash.update(`\0${path.relative(inRoot(), file)}\0`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Whether `name` was last stamped with this fingerprint. */
export const isStamped = (name, value) => existsSync(stampOf(name)) && readFileSync(stampOf(name), 'utf8') === value

export function stamp(name, value) {
  mkdirSync(path.dirname(stampOf(name)), { recursive: true })
  writeFileSync(stampOf(name), value)
}

const stampOf = (name) => path.join(cache, 'built-from', name)

function files(file) {
  if (!existsSync(file)) return []
  if (!statSync(file).isDirectory()) return [file]
  return readdirSync(file)
    .sort()
    .flatMap((name) => files(path.join(file, name)))
}
