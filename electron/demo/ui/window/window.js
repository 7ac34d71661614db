const { act, onState } = window.demo
const byId = (id) => document.getElementById(id)

/** Makes an element; text goes in as text, so that a page's title cannot become markup here. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

function fill(element, ...children) {
  element.textContent = ''
  element.append(...children)
}

function showTabs({ tabs, active }) {
  const nav = byId('tabs')
  while (nav.childElementCount < tabs.length) nav.append(makeTab(nav.childElementCount))
  tabs.forEach((tab, index) => {
    const button = nav.children[index]
    button.dataset.theme = tab.theme
    button.title = tab.title
    button.querySelector('span').textContent = tab.title
    button.querySelector('small').textContent = hostOf(tab.url)
    button.classList.toggle('active', index === active)
  })
}

function makeTab(index) {
  const onclick = () => act({ type: 'select', tab: index })
  return make('button', { className: 'tab', onclick }, make('i'), make('span'), make('small'))
}

const hostOf = (url) => url.replace(/^\w+:\/\//, '').split('/')[0]

function showToolbar({ tabs, active, split }) {
  const tab = tabs[active]
  const address = byId('address')
  if (document.activeElement !== address) address.value = tab.url
  const chip = byId('chip')
  chip.dataset.theme = tab.theme
  fill(
    chip,
    make('span', {}, 'localhost → '),
    make('b', {}, tab.workspace),
    ` ${tab.leadsTo} `,
    make('span', {}, tab.way),
  )
  byId('split').classList.toggle('on', split)
}

/** The panes stay the same elements: they are measured, and the pages lie over them. */
function showPanes({ tabs, active, split }) {
  const panes = byId('panes')
  while (panes.childElementCount < tabs.length) {
    panes.append(
      make('div', { className: 'pane' }, make('div', { className: 'page' }), make('p', { className: 'traffic' })),
    )
  }
  tabs.forEach((tab, index) => {
    const pane = panes.children[index]
    pane.dataset.theme = tab.theme
    pane.hidden = !split && index !== active
    pane.classList.toggle('active', split && index === active)
    fill(pane.lastChild, ...trafficOf(tab))
  })
  reportAreas()
}

function trafficOf({ workspace, way, failure, traffic }) {
  const shown = failure ? make('em', { className: 'failure' }, failure) : make('strong', {}, make('i'), workspace)
  const count = (value, unit) => make('span', {}, make('b', {}, value), ` ${unit}`)
  return [
    make('span', {}, shown, ` ${way}`),
    count(traffic.requests, traffic.requests === 1 ? 'request' : 'requests'),
    count(traffic.openSockets, traffic.openSockets === 1 ? 'open socket' : 'open sockets'),
    count(inUnits(traffic.bytesDown), 'down'),
    count(inUnits(traffic.bytesUp), 'up'),
  ]
}

function inUnits(bytes) {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

let reported = ''

function reportAreas() {
  const areas = Array.from(document.querySelectorAll('.pane'), (pane) => (pane.hidden ? null : areaOf(pane.firstChild)))
  if (JSON.stringify(areas) === reported) return
  reported = JSON.stringify(areas)
  act({ type: 'areas', areas })
}

/** Inside the border, in whole pixels. */
function areaOf(element) {
  const { x, y, width, height } = element.getBoundingClientRect()
  const top = y + element.clientTop
  const [left, right, bottom] = [x, x + width, y + height].map(Math.round)
  return { x: left, y: Math.round(top), width: right - left, height: bottom - Math.round(top) }
}

onState((state) => {
  showTabs(state)
  showToolbar(state)
  showPanes(state)
})

byId('reload').onclick = () => act({ type: 'reload' })
byId('split').onclick = () => act({ type: 'toggle-split' })
byId('address').onfocus = ({ target }) => target.select()
byId('toolbar').onsubmit = (event) => {
  event.preventDefault()
  act({ type: 'navigate', url: byId('address').value })
  byId('address').blur()
}
window.onresize = reportAreas
