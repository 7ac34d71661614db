// tabport with a listener that speaks TLS, and with it HTTP/2 to a browser.
import { listen } from './tabport.mjs'

export { load } from './tabport.mjs'

export const start = ({ ProxyServer }) => listen(ProxyServer, { secure: true })
