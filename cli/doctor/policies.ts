// Policies by which an administrator sets the proxy of Chromium and its relatives: they come before any flag, so that
// `--proxy-server` does nothing. Electron heeds none of them.
import { join } from 'node:path'
import { type Finding, type Machine, note, ok } from './finding'

const POLICIES = /\bProxy(?:Mode|Server|PacUrl|Settings|ServerMode|BypassList)\b/

const LINUX = ['/etc/chromium', '/etc/opt/chrome', '/etc/opt/edge'].map((folder) => `${folder}/policies`)
const MACOS = ['com.google.Chrome', 'org.chromium.Chromium', 'com.microsoft.Edge']
const WINDOWS = ['Google\\Chrome', 'Chromium', 'Microsoft\\Edge'].flatMap((name) =>
  ['HKLM', 'HKCU'].map((root) => `${root}\\Software\\Policies\\${name}`),
)

export async function checkPolicies(machine: Machine): Promise<Finding[]> {
  const sources = await read(machine)
  const found = sources.filter(({ text }) => POLICIES.test(text))
  if (found.length === 0) return [ok('policy', 'none sets a proxy for Chromium')]
  return found.map(({ where, text }) =>
    note(
      'policy',
      `${where} sets ${POLICIES.exec(text)?.[0]}: a Chromium that it is for ignores --proxy-server`,
      'use Electron, Playwright’s own browser, or another Chromium; or ask whoever administers the machine',
    ),
  )
}

interface Source {
  where: string
  text: string
}

async function read(machine: Machine): Promise<Source[]> {
  if (machine.platform === 'linux') return LINUX.flatMap((folder) => linuxFiles(machine, folder))
  const asked =
    machine.platform === 'darwin'
      ? MACOS.map((name) => [`policies of ${name}`, 'defaults', 'read', `/Library/Managed Preferences/${name}`])
      : WINDOWS.map((key) => [key, 'reg', 'query', key])
  const answers = asked.map(async ([where, program, ...args]) => ({
    where: where!,
    text: (await machine.run(program!, args)) ?? '',
  }))
  return Promise.all(answers)
}

const linuxFiles = (machine: Machine, folder: string): Source[] =>
  ['managed', 'recommended']
    .flatMap((kind) => machine.list(join(folder, kind)).map((name) => join(folder, kind, name)))
    .map((where) => ({ where, text: machine.read(where) ?? '' }))
