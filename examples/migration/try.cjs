// Starts the preview proxy that is named, and prints how to ask it for a workspace's localhost.
//
//     node try.cjs tabport http://127.0.0.1:39379 workspace-1
const { createPreviewProxy } = require('./preview-proxy.cjs')

const [flag, cmuxProxyOrigin, workspace] = process.argv.slice(2)
const proxy = createPreviewProxy(
  () => flag,
  (error) => console.error(`tabport is not used (${error.code}): ${error.message.split('\n')[0]}`),
)

proxy.createContext(1, { cmuxProxyOrigin, workspace }).then(({ port, username, password }) => {
  console.log(`curl --noproxy '' -x http://127.0.0.1:${port} -U ${username}:${password} http://localhost:3000/`)
})

// A proxy of tabport's keeps no process alive.
setInterval(() => {}, 1 << 30)
