import { readFileSync } from 'node:fs'

const read = (name: string) => readFileSync(new URL(`./certs/${name}`, import.meta.url), 'utf8')

/** Trusted by nobody but a proxy that is given it as `extraCa`. */
export const ca = read('ca.pem')
export const serverCertificate = { cert: read('server.pem'), key: read('server.key') }
