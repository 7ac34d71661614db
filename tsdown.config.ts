import { defineConfig, type UserConfig } from 'tsdown'

/**
 * The wiring for Electron and the demo app, compiled from electron/.
 *
 * Electron 9 runs Node 12: syntax is lowered to it, `node:` is stripped from import specifiers, and the addon is
 * reached by a relative path because that Node knows no package self-reference.
 */
const shared: UserConfig = {
  platform: 'node',
  target: 'node12',
  nodeProtocol: 'strip',
  deps: { neverBundle: ['electron', 'tabport'] },
  outputOptions: { paths: { tabport: '../../index.js' } },
  sourcemap: true,
  clean: true,
}

const demo: UserConfig = {
  ...shared,
  format: 'cjs',
  outDir: 'dist/demo',
  dts: false,
  outExtensions: () => ({ js: '.cjs' }),
}

export default defineConfig([
  {
    ...shared,
    entry: { index: 'electron/index.ts' },
    format: ['cjs', 'esm'],
    outDir: 'dist/electron',
    dts: true,
    outExtensions: ({ format }) => (format === 'cjs' ? { js: '.cjs', dts: '.d.cts' } : { js: '.mjs', dts: '.d.mts' }),
  },
  { ...demo, entry: 'electron/demo/main.ts', copy: [{ from: 'electron/demo/ui', to: 'dist/demo' }] },
  // On its own: a sandboxed preload script can require nothing but Electron, so it must share no chunk.
  { ...demo, entry: 'electron/demo/preload.ts', clean: false },
])
