// RFC 9113, section by section, on the wire: one test for each case and each way in.
import { beforeAll, describe, expect, test } from 'vitest'
import { DEVIATIONS } from './deviations.mjs'
import { listCases, runCases, WAYS } from './suite.mjs'

for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
  const names: string[] = await listCases(way)

  describe(`HTTP/2, ${way}`, () => {
    let failures: Map<string, string | null>
    beforeAll(async () => {
      failures = await runCases(way)
    }, 60_000)

    for (const name of names) {
      const known = DEVIATIONS.get(name)
      test(known ? `${name} (known to be ${known})` : name, () => {
        expect(failures.get(name)).toBe(known ?? null)
      })
    }
  })
}
