import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { ProxyServer } from 'tabport'

const directory = path.join(homedir(), '.my-app', 'tabport')
const proxy = await ProxyServer.listen({ secure: true, certificates: { directory } })
await writeFile('authority.pem', proxy.certificateAuthority().pem) // for --cacert, NODE_EXTRA_CA_CERTS, tls.connect({ ca })
console.log(proxy.listenerCertificate()?.fingerprint) // 'sha256/…', for those who pin it
console.log(`curl --cacert authority.pem --proxy-cacert authority.pem -x https://127.0.0.1:${proxy.port()} …`)

await proxy.stop()
