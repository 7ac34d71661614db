// What must be there before anything else: Node, Rust and, for downloads, Python with pip.
import { ask } from './run.mjs'
import { StepError } from './step.mjs'

const OLDEST_NODE = 20

export function checkToolchain() {
  const node = Number(process.versions.node.split('.')[0])
  if (node < OLDEST_NODE) throw new StepError(`Node ${OLDEST_NODE} or newer is needed, this is ${process.version}.`)
  const cargo = ask('cargo', ['--version'])
  if (!cargo) throw new StepError('Rust is needed: `cargo` was not found. Install it with rustup, then run this again.')
  return `Node ${process.versions.node}, ${cargo}`
}
