// RFC 9113, section by section, on the wire: one test for each case and each way in.
import { beforeAll, describe, expect, test } from 'vitest'
import { listCases, runCases, WAYS } from './suite.mjs'

for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
  const names: string[] = await listCases(way)

  describe(`HTTP/2, ${way}`, () => {
    let failures: Map<string, string | null>
    beforeAll(async () => {
      failures = await runCases(way)
    }, 60_000)

    test.each(names)('%s', (name) => {
      expect(failures.get(name)).toBe(null)
    })
  })
}
