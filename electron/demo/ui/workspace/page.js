const RECONNECT_MS = 1000
const FETCH_MS = 2000

const byId = (id) => document.getElementById(id)

/** What this page knows of itself, for whoever drives the demo. */
window.workspace = {
  name: byId('name').textContent,
  project: byId('project').textContent,
  message: byId('message').textContent,
  live: 'connecting',
  reloads: Number(sessionStorage.getItem('reloads')),
  fetched: '',
  ticks: 0,
}

function connectLiveReload() {
  const socket = new WebSocket(`ws://${location.host}/live`)
  socket.onopen = () => showLive('open', 'connected')
  socket.onclose = () => {
    showLive('closed', 'disconnected')
    setTimeout(connectLiveReload, RECONNECT_MS)
  }
  socket.onmessage = () => {
    sessionStorage.setItem('reloads', window.workspace.reloads + 1)
    location.reload()
  }
}

function showLive(state, text) {
  window.workspace.live = state
  byId('live').textContent = text
  byId('live-dot').className = state
}

function showReloads({ reloads }) {
  if (reloads > 0) byId('reloads').textContent = reloads === 1 ? 'reloaded once' : `reloaded ${reloads} times`
}

async function fetchStatus() {
  const start = performance.now()
  try {
    const response = await fetch('/api/status')
    const { from, time } = await response.json()
    window.workspace.fetched = from
    byId('fetched').textContent = `${response.status} OK`
    byId('fetch-note').textContent = `${time.slice(11, 19)}, ${Math.round(performance.now() - start)} ms`
  } catch (error) {
    byId('fetched').textContent = 'failed'
    byId('fetch-note').textContent = error.message
  }
  setTimeout(fetchStatus, FETCH_MS)
}

function countTicks() {
  new EventSource('/api/events').onmessage = () => {
    window.workspace.ticks += 1
    byId('ticks').textContent = window.workspace.ticks
  }
}

byId('edit').onsubmit = (event) => {
  event.preventDefault()
  fetch('/message', { method: 'PUT', body: byId('text').value })
}

showReloads(window.workspace)
connectLiveReload()
fetchStatus()
countTicks()
