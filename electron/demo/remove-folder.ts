/** Takes a folder away with whatever editors have left in it. Node 12 has no `rmSync`. */
import { readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Never throws: a folder of temporary files is no reason to keep the app from closing. */
export function removeFolder(folder: string): void {
  try {
    remove(folder)
  } catch (error) {
    console.warn(`could not remove ${folder}:`, error)
  }
}

function remove(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) remove(path)
    else unlinkSync(path)
  }
  rmdirSync(folder)
}
