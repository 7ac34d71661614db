// The tests ask for `/`: whichever localhost that is, they say by their routes.
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: 'tests',
  use: {
    baseURL: process.env.BASE_URL ?? 'http://localhost:3000',
    launchOptions: {
      // Without it Playwright starts a browser of its own.
      executablePath: process.env.CHROMIUM,
      args: process.env.CHROMIUM_ARGS?.split('\n'),
    },
  },
})
