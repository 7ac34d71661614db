// Progress on the terminal: a step says its name when it begins, how long it took and what came of it.
import { performance } from 'node:perf_hooks'

/** A failure whose message is all the reader needs: it is printed without a stack. */
export class StepError extends Error {}

/** Runs `work` as a named step. What it returns (a string) is printed as the result. */
export async function step(name, work) {
  const began = performance.now()
  const elapsed = () => `${((performance.now() - began) / 1000).toFixed(1)} s`
  console.log(`▸ ${name}`)
  try {
    const result = await work()
    console.log(`✔ ${name} (${elapsed()})${result ? `: ${result}` : ''}`)
  } catch (error) {
    console.error(`✘ ${name} (${elapsed()})`)
    throw error
  }
}

/** Runs a script's main function; a failure ends the process with status 1 and one readable message. */
export async function main(work) {
  try {
    await work()
  } catch (error) {
    console.error(`\n${error instanceof StepError ? error.message : error.stack}`)
    process.exitCode = 1
  }
}
