import { defineConfig, type UserConfig } from 'tsdown'

/**
 * What TypeScript there is: the wiring for Electron and the demo app, from electron/; the fixtures for Playwright, from
 * playwright/; the command line, from cli/.
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

/** For Node itself, of the versions in `engines`. */
const forNode: UserConfig = {
  platform: 'node',
  target: 'node20',
  deps: { neverBundle: [/^@?playwright/, 'tabport'] },
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

/** An entry of the package, for both kinds of modules. */
const entry: UserConfig = {
  format: ['cjs', 'esm'],
  dts: true,
  outExtensions: ({ format }) => (format === 'cjs' ? { js: '.cjs', dts: '.d.cts' } : { js: '.mjs', dts: '.d.mts' }),
}

export default defineConfig([
  { ...shared, ...entry, entry: { index: 'electron/index.ts' }, outDir: 'dist/electron' },
  { ...forNode, ...entry, entry: { index: 'playwright/index.ts' }, outDir: 'dist/playwright' },
  {
    ...forNode,
    entry: { tabport: 'cli/main.ts' },
    format: 'esm',
    outDir: 'dist/cli',
    dts: false,
    sourcemap: false,
    outExtensions: () => ({ js: '.mjs' }),
  },
  { ...demo, entry: { 'demo-app': 'cli/demo/app.ts' }, outDir: 'dist/cli', sourcemap: false, clean: false },
  { ...demo, entry: 'electron/demo/main.ts', copy: [{ from: 'electron/demo/ui', to: 'dist/demo' }] },
  // On its own: a sandboxed preload script can require nothing but Electron, so it must share no chunk.
  { ...demo, entry: 'electron/demo/preload.ts', clean: false },
])
