// The documentation's site. `npm run docs` builds it into target/docs/site; `npm run docs -- dev` serves it while it is
// written.
import { build, createServer } from 'vitepress'
import { inRoot } from './lib/paths.mjs'
import { bin, quiet } from './lib/run.mjs'
import { main, StepError, step } from './lib/step.mjs'

const [command = 'build'] = process.argv.slice(2)

await main(async () => {
  if (!['build', 'dev'].includes(command)) throw new StepError('Usage: npm run docs [-- dev]')
  await step('API', () => quiet(bin('typedoc'), ['--options', 'docs/.vitepress/typedoc.json']))
  if (command === 'build') return step('site', () => build(inRoot('docs')))
  const server = await createServer(inRoot('docs'))
  await server.listen()
  server.printUrls()
})
