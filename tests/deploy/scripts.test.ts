// The shell scripts for operators: what shellcheck has to say of them, read as POSIX has it.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { canRun } from '../support/tools.ts'
import { packages } from './packages.mjs'

const shellcheck = path.join(packages.folder, 'bin', 'shellcheck')
const script = readFileSync(inRoot('deploy', 'headroom-proxy', 'cutover.sh'), 'utf8')

function lint(text: string): number[] {
  const run = spawnSync(shellcheck, ['--shell=sh', '--format=json', '-'], { input: text, encoding: 'utf8' })
  return JSON.parse(run.stdout).map(({ code }: { code: number }) => code)
}

test.skipIf(!canRun(shellcheck, '--version'))('shellcheck has nothing to say (skipped without shellcheck)', () => {
  expect(lint(script)).toEqual([])
  expect(lint(script.replace('kill -s TERM "$1"', 'kill -s TERM $1'))).toEqual([2086])
})
