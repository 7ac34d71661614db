// A Node process without a proxy: what keeps a core busy beside `direct`, and what memory is compared with.
export const load = () => {}
export const start = () => ({ port: 0 })
