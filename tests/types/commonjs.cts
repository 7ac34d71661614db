// The package's types as a CommonJS project sees them. `tsc` checks this file; nothing runs it.
import tabport = require('tabport')
import wiring = require('tabport/electron')
import testing = require('tabport/playwright')

const starting: Promise<tabport.ProxyServer> = tabport.ProxyServer.start('127.0.0.1:0', true)
const createTabport: typeof wiring.createTabport = wiring.createTabport
const title: (text: string, body: () => void) => void = testing.test

void title
void starting
void createTabport
