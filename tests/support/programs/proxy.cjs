// A proxy in a process of its own, told what to do over the IPC channel, so that a test can measure what the
// proxy alone costs. It ends with the process that started it.
const { ProxyServer } = require('../../../index.js')

let proxy
const calls = {
  listen: async (options) => {
    proxy = await ProxyServer.listen(options)
    return proxy.port()
  },
  createContext: (id, route) => proxy.createContext(id, route),
  stats: () => proxy.stats(),
  stop: () => proxy.stop(),
  /** Leaves as little garbage as there can be before memory is measured. */
  collect: () => global.gc(),
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ number, call, args }) => {
  try {
    process.send({ number, value: await calls[call](...args) })
  } catch (error) {
    process.send({ number, failure: String(error) })
  }
})
