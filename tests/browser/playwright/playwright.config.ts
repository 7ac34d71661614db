// Tests whose results tests/browser/playwright.test.ts expects, failures included.
import { defineConfig } from '@playwright/test'
import example from '../../../examples/playwright/playwright.config.ts'

export default defineConfig(example, { testDir: '.' })
