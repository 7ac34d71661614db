// Where the bench keeps what it builds, fetches and writes.
import path from 'node:path'
import { cache, inRoot } from '../scripts/lib/paths.mjs'

export const home = path.join(cache, 'bench')
export const manifest = inRoot('bench', 'Cargo.toml')
export const target = path.join(home, 'target')

/** One of our own programs, as `cargo build --release` leaves it. */
export const program = (name) => path.join(target, 'release', name)

/** One of the repository's own programs, as its workspace builds it for release. */
export const door = (name) => inRoot('target', 'release', name)

/** Runs a contender that is written in JavaScript. */
export const runtime = inRoot('bench', 'hosts', 'run.mjs')
