// The types of `tabport/electron` for resolvers that do not read `exports` (`moduleResolution: node10`).
export * from './dist/electron/index.cjs'
