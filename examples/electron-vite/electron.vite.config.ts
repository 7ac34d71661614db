import { defineConfig } from 'electron-vite'

export default defineConfig({
  main: {
    build: {
      // What stands in `dependencies` stays outside of the bundle (this is the default): a loader that is bundled would
      // look for the addon beside the bundle.
      externalizeDeps: true,
    },
  },
})
