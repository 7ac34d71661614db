// Programs that some tests need: without one it is an error in CI, and a named skip elsewhere.
import { spawnSync } from 'node:child_process'

const CI = process.env.CI === 'true'

/** Whether this command succeeds here. */
export function canRun(command: string, ...args: string[]): boolean {
  const { status } = spawnSync(command, args, { stdio: 'ignore' })
  if (status !== 0 && CI) throw new Error(`\`${[command, ...args].join(' ')}\` fails: run \`npm run setup\``)
  return status === 0
}
