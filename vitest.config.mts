import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { findElectron } from './scripts/lib/electron.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

/** What all projects share: the built addon is loaded by Node itself, as an application would load it. */
const shared = {
  root,
  resolve: {
    alias: [
      { find: /^tabport$/, replacement: `${root}index.js` },
      { find: /^tabport\/electron$/, replacement: `${root}electron/index.ts` },
    ],
  },
  test: {
    pool: 'forks' as const,
    env: { TABPORT_ELECTRON: findElectron() ?? '' },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    server: { deps: { external: [`${root}index.js`] } },
  },
}

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'addon',
          include: [
            'tests/*.test.ts',
            'tests/cli/*.test.ts',
            'tests/features/*.test.ts',
            'tests/conformance/**/*.test.ts',
          ],
        },
      },
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'browser',
          include: ['tests/browser/**/*.test.ts', 'tests/features/browser/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'electron',
          include: ['tests/electron/**/*.test.ts', 'tests/features/electron/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
          fileParallelism: false,
        },
      },
      {
        ...shared,
        test: { ...shared.test, name: 'docs', include: ['tests/docs/*.test.ts'], hookTimeout: 120_000 },
      },
      {
        ...shared,
        test: { ...shared.test, name: 'deploy', include: ['tests/deploy/*.test.ts'] },
      },
      {
        ...shared,
        test: { ...shared.test, name: 'headroom', include: ['tests/headroom/*.test.ts'], testTimeout: 60_000 },
      },
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'faults',
          include: ['tests/faults/**/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'packages',
          include: ['tests/packages/**/*.test.ts'],
          globalSetup: 'tests/packages/tarballs.ts',
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
    ],
  },
})
