// A proxy panics as its worker thread ends, and another one as the process does.
const { Worker, isMainThread } = require('worker_threads')
const path = require('path')

process.env.TABPORT_NATIVE_LIBRARY_PATH = path.resolve(__dirname, '../../../target/panics/tabport.node')
const { __panicAt: panicAt } = require(process.env.TABPORT_NATIVE_LIBRARY_PATH)
const { ProxyServer } = require('../../../index.js')

if (isMainThread) new Worker(__filename).once('exit', main)
else listenAndEnd()

async function main(code) {
  console.log(`the worker ended with ${code}, ${panicAt(0)} panics to come`)
  await ProxyServer.listen({ onEvent: () => {} })
  panicAt(1)
}

async function listenAndEnd() {
  await ProxyServer.listen({ onEvent: () => {} })
  panicAt(1)
  process.exit(7)
}
