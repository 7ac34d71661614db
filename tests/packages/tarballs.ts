/**
 * The tarballs under test, made once for all tests: those that TABPORT_PACKAGES names (`npm run packages` makes them, as
 * they are released, and `npm test` in CI, linked as they are released), or else, which takes no second build, the same
 * packages around the checkout's own addon.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { pack } from '../../scripts/packages/pack.mjs'

declare module 'vitest' {
  export interface ProvidedContext {
    tarballs: string
  }
}

export default function provideTarballs(project: TestProject): (() => void) | undefined {
  const named = process.env.TABPORT_PACKAGES
  if (named) {
    project.provide('tarballs', path.resolve(named))
    return undefined
  }
  const directory = mkdtempSync(path.join(tmpdir(), 'tabport-packages-'))
  if (pack(inRoot(), directory).length === 0) throw new Error('There is no addon to pack: run `npm run build`.')
  project.provide('tarballs', directory)
  return () => rmSync(directory, { recursive: true })
}
