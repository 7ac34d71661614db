// The linker for Linux: Zig knows every C library since glibc 2.17, and musl, for each processor. cargo-zigbuild has
// cargo use it. Both come as Python packages into the cache.
import path from 'node:path'
import { cache } from '../lib/paths.mjs'
import { PythonPackages } from '../lib/python-packages.mjs'

const folder = path.join(cache, 'zig')
const packages = new PythonPackages('zig', folder, 'scripts/packages/requirements.txt')

export const provideZig = () => packages.provide()

/** What a build needs in its environment to find both. */
export const zigEnvironment = () => ({
  PATH: `${path.join(folder, 'bin')}${path.delimiter}${process.env.PATH}`,
  PYTHONPATH: folder,
  // The parts of C libraries that it compiles, once.
  ZIG_GLOBAL_CACHE_DIR: path.join(cache, 'zig-compiled'),
})
