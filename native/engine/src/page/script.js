/* Asks for this address until somebody other than the proxy answers, and only then loads it. */
const DELAYS = [500, 1000, 2000, 4000]
const SLOWEST = 5000
/* A load that failed longer ago than this was another failure. */
const RECENT = 30000
const KEY = 'tabport-retries'

let retries = recall()
let due = later()
let waiting = true
let loading = false
let timer

document.getElementById('now').onclick = (event) => {
  event.preventDefault()
  waiting ? ask(true) : load()
}
document.onvisibilitychange = window.ononline = () => {
  due = 0
  tick()
}
tick()

function tick() {
  clearTimeout(timer)
  if (!waiting) return
  if (document.hidden) return say('Tries again when this page is shown.')
  const left = due - Date.now()
  if (left <= 0) return ask()
  say(`Tries again in ${Math.ceil(left / 1000)} s.`)
  timer = setTimeout(tick, left % 1000 || 1000)
}

async function ask(pressed) {
  /* A sandboxed frame may not read what its own address answers. */
  if (self.origin === 'null') return load()
  waiting = false
  clearTimeout(timer)
  say('Trying …')
  const options = { method: 'HEAD', cache: 'no-store', redirect: 'manual', credentials: 'same-origin' }
  /* Without an answer, the proxy itself is gone, and this page is all there is. */
  const address = location.origin + location.pathname + location.search
  const answer = await fetch(address, options).catch(() => undefined)
  if (loading) return
  if (answer && (pressed || !isProxys(answer))) return load()
  retries += 1
  due = later()
  waiting = true
  tick()
}

function isProxys(answer) {
  return /(^|, )tabport; error=/.test(answer.headers.get('proxy-status'))
}

/* Not twice by itself: what answers may be a download, which leaves this page where it is. */
function load() {
  waiting = false
  loading = true
  say('Opening …')
  try {
    sessionStorage.setItem(KEY, JSON.stringify([retries + 1, Date.now()]))
  } catch {}
  /* As location.reload(), which in Electron 9 adds to the history. */
  history.go(0)
}

/* Retries so far, those of the pages before this one too: a load may fail although the address answers. */
function recall() {
  try {
    const [count, at] = JSON.parse(sessionStorage.getItem(KEY)) || [0, 0]
    return Date.now() - at < RECENT ? count : 0
  } catch {
    return DELAYS.length
  }
}

function later() {
  return Date.now() + (DELAYS[retries] || SLOWEST)
}

function say(text) {
  document.getElementById('state').textContent = text
}
