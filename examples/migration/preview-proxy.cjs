// Which of the two preview proxies a tab gets: the one that the flag names when the tab is opened.

/** Required when it is first wanted: an addon that does not load must not keep the app from starting. */
const PROXIES = {
  node: async () => require('./node-proxy.cjs').startNodeProxy(),
  tabport: async () => require('./tabport-proxy.cjs').startTabportProxy(),
}

/**
 * `wanted` is asked for each tab, so that a flag that changes while the app runs changes what comes after it. `report` is
 * told, once, why tabport could not be started; tabs then have the one that was written by hand.
 */
exports.createPreviewProxy = function createPreviewProxy(wanted, report) {
  const started = new Map()

  function start(name) {
    if (!started.has(name)) started.set(name, PROXIES[name]())
    return started.get(name)
  }

  function startTabport() {
    if (!started.has('tabport')) start('tabport').catch(report)
    return start('tabport').catch(() => start('node'))
  }

  return {
    async createContext(webContentsId, route) {
      const proxy = await (wanted() === 'tabport' ? startTabport() : start('node'))
      const context = proxy.createContext(webContentsId, route)
      return Object.assign({}, context, { port: proxy.port, release: () => proxy.releaseContext(context.id) })
    },
    async stop() {
      const running = await Promise.allSettled(started.values())
      await Promise.all(running.map(({ value }) => value && value.stop()))
    },
  }
}
