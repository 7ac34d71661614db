// Where an Electron and a Chromium are looked for: where a variable says, and then in the usual places.
import { join } from 'node:path'

/** What is needed of a machine to look. */
export interface Places {
  platform: NodeJS.Platform
  env: Record<string, string | undefined>
  cwd: string
  exists(file: string): boolean
  read(file: string): string | undefined
}

/** The one that `TABPORT_ELECTRON` names, or the binary of the package in this folder's node_modules. */
export function findElectron({ env, cwd, exists, read }: Places): string | undefined {
  if (env.TABPORT_ELECTRON) return exists(env.TABPORT_ELECTRON) ? env.TABPORT_ELECTRON : undefined
  const folder = join(cwd, 'node_modules', 'electron')
  const name = read(join(folder, 'path.txt'))?.trim()
  const file = name && join(folder, 'dist', name)
  return file && exists(file) ? file : undefined
}

/** The one that `TABPORT_CHROMIUM` names, or the system's. */
export function findChromium({ platform, env, exists }: Places): string | undefined {
  const named = env.TABPORT_CHROMIUM
  return (named ? [named] : usualChromiums(platform, env)).find(exists)
}

function usualChromiums(platform: NodeJS.Platform, env: Places['env']): string[] {
  if (platform === 'darwin') {
    return ['Chromium', 'Google Chrome', 'Microsoft Edge'].map(
      (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
    )
  }
  if (platform === 'win32') {
    const roots = [env.ProgramFiles, env['ProgramFiles(x86)'], env.LOCALAPPDATA].filter((root) => root !== undefined)
    const files = [
      'Chromium/Application/chrome.exe',
      'Google/Chrome/Application/chrome.exe',
      'Microsoft/Edge/Application/msedge.exe',
    ]
    return roots.flatMap((root) => files.map((file) => join(root, file)))
  }
  return ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'].map(
    (name) => `/usr/bin/${name}`,
  )
}
