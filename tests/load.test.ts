// What a user reads when the addon cannot be loaded.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('a failed load names the platform and the fix', () => {
  const code =
    "try { require('./index.js') } catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }"
  const { stdout } = spawnSync(process.execPath, ['-e', code], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, TABPORT_NATIVE_LIBRARY_PATH: './no-such-file.node' },
    encoding: 'utf8',
  })
  const error = JSON.parse(stdout)
  expect(error.code).toBe('ERR_TABPORT_LOAD')
  expect(error.message).toContain(`${process.platform}-${process.arch}`)
  expect(error.message).toContain('./no-such-file.node')
  expect(error.message).toContain('TABPORT_NATIVE_LIBRARY_PATH')
})
