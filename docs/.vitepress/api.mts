// The sidebar of the API: what typedoc says there is, module by module.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { DefaultTheme } from 'vitepress'
import { docs } from './pages.mts'

interface Entry {
  title: string
  path?: string
  children?: Entry[]
}

const MODULES = ['tabport.md', 'tabport/electron.md', 'tabport/playwright.md']

export function apiSidebar(): DefaultTheme.SidebarItem[] {
  const entries: Entry[] = JSON.parse(readFileSync(path.join(docs, 'api', 'navigation.json'), 'utf8'))
  const modules = entries.flatMap((entry) => (entry.path ? [entry] : (entry.children ?? [])))
  return MODULES.map((module) => {
    const found = modules.find((entry) => entry.path === module)
    if (!found) throw new Error(`typedoc has found no ${module}`)
    return { ...item(found), text: addressOf(module), collapsed: undefined }
  })
}

function item({ title, path: file, children }: Entry): DefaultTheme.SidebarItem {
  const nested = children ? { items: children.map(item), collapsed: true } : {}
  return { text: title, link: file && `/api/${addressOf(file)}`, ...nested }
}

const addressOf = (file: string): string => file.replace(/\.md$/, '')
