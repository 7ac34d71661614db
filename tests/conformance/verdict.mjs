/**
 * What the cases of one path come to. A case fails if Autobahn says so, and also if it ran otherwise than without a
 * proxy: a proxy has no part in a WebSocket, so it may change nothing of it.
 */
const PASSED = ['OK', 'NON-STRICT', 'INFORMATIONAL']
const CLOSED_WELL = ['OK', 'INFORMATIONAL']

/** Counts the cases and lists the failed ones. `proxied`: what was found without a proxy, and the tunnels it opened. */
export function judge(name, found, proxied) {
  const cases = Object.values(found)
  const count = (behavior) => cases.filter((it) => it.behavior === behavior).length
  return {
    name,
    cases: cases.length,
    ok: count('OK'),
    nonStrict: count('NON-STRICT'),
    informational: count('INFORMATIONAL'),
    failed: proxied ? failedProxied(found, proxied) : failedCases(found, found),
  }
}

export const summary = ({ cases, ok, nonStrict, informational, failed }) =>
  `${cases} cases: ${ok} OK, ${nonStrict} non-strict, ${informational} informational; ${failed.length} failed`

/** A path that leads past the proxy would pass every case. */
function failedProxied(found, { found: direct, tunnels }) {
  const failed = failedCases(found, direct)
  const cases = Object.keys(found).length
  if (failed.length > 0 || tunnels >= cases) return failed
  return [{ case: 'all', wrong: `the proxy opened ${tunnels} tunnels for ${cases} cases` }]
}

const failedCases = (found, direct) =>
  Object.keys({ ...direct, ...found }).flatMap((id) => {
    const wrong = whatIsWrong(found[id], direct[id])
    return wrong ? [{ case: id, wrong }] : []
  })

function whatIsWrong(found, direct) {
  if (!found) return 'did not run'
  const passed = PASSED.includes(found.behavior) && CLOSED_WELL.includes(found.behaviorClose)
  if (!passed) return told(found)
  return told(found) === told(direct) ? undefined : `${told(found)}, but without a proxy ${told(direct)}`
}

const told = (it) =>
  it ? `${it.behavior}, closed ${it.behaviorClose} with ${it.remoteCloseCode ?? 'no code'}` : 'did not run'
