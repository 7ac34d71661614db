// `cmux-proxy` as one file that needs nothing of the system it runs on but the kernel.
import { statSync } from 'node:fs'
import path from 'node:path'
import { buildStaticProgram } from './lib/build.mjs'
import { root, staticGateway } from './lib/paths.mjs'
import { main, StepError, step } from './lib/step.mjs'

await main(async () => {
  if (process.platform !== 'linux') throw new StepError('A static cmux-proxy is for Linux, and is built there.')
  await step('static cmux-proxy', () => buildStaticProgram(staticGateway))
  console.log(`${path.relative(root, staticGateway)}: ${statSync(staticGateway).size} bytes`)
})
