// The types of `tabport/playwright` for resolvers that do not read `exports` (`moduleResolution: node10`).
export * from './dist/playwright/index.cjs'
