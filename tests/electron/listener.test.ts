// What the proxy listens on by default, decided without Electron: `process.versions.chrome` is all it looks at.
import { afterEach, describe, expect, test } from 'vitest'
import { listenerOptions } from '../../electron/listener.ts'

const versions = process.versions as { chrome?: string }

afterEach(() => {
  delete versions.chrome
})

function optionsIn(chrome: string | undefined, options = {}) {
  Object.defineProperty(process.versions, 'chrome', { value: chrome, configurable: true, writable: true })
  return listenerOptions(options)
}

describe('the listener', () => {
  test.each([
    ['83.0.4103.122', {}, { secure: false, http2: false }],
    ['99.0.4844.84', {}, { secure: false, http2: false }],
    ['100.0.4896.56', {}, { secure: false, http2: true }],
    ['113.0.5672.63', {}, { secure: false, http2: true }],
    ['114.0.5735.16', {}, { secure: true, http2: true }],
    ['156.0.0.0', {}, { secure: true, http2: true }],
    ['156.0.0.0', { secure: false }, { secure: false, http2: true }],
    ['156.0.0.0', { http2: false }, { secure: false, http2: false }],
    ['156.0.0.0', { secure: true, http2: false }, { secure: true, http2: false }],
    ['83.0.4103.122', { http2: true }, { secure: false, http2: true }],
    ['83.0.4103.122', { secure: true }, { secure: true, http2: false }],
    ['83.0.4103.122', { secure: true, http2: true }, { secure: true, http2: false }],
    ['113.0.5672.63', { secure: true }, { secure: true, http2: false }],
    ['156.0.0.0', { http2: 'no' }, { http2: 'no' }],
    [undefined, {}, { secure: false, http2: false }],
  ])('of Chromium %s with %j is %j', (chrome, options, expected) => {
    expect(optionsIn(chrome, options)).toMatchObject(expected)
  })

  test('is on a fixed range of ports unless the app has chosen', () => {
    const autoPort = { start: 39_385, attempts: 50 }
    expect(optionsIn('156.0.0.0')).toMatchObject({ autoPort })
    expect(optionsIn('156.0.0.0', { port: 0 })).not.toHaveProperty('autoPort')
    expect(optionsIn('156.0.0.0', { autoPort: { start: 1, attempts: 2 } }).autoPort).toEqual({ start: 1, attempts: 2 })
  })
})
