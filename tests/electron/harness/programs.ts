/** What the documentation shows, as the oldest Electron can run it: plain JavaScript, beside an installed tabport. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import ts from 'typescript'
import { root } from './launch.ts'

/**
 * Copies a folder's programs, with other names in them where a test has its own; what they export is had by
 * `process.mainModule.require(path.join(folder, name))`.
 */
export function installPrograms(from: string, adapt = (text: string) => text): { folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tabport-programs-'))
  mkdirSync(path.join(folder, 'node_modules'))
  symlinkSync(root, path.join(folder, 'node_modules', 'tabport'), 'junction')
  for (const name of readdirSync(path.join(root, from))) {
    const text = adapt(readFileSync(path.join(root, from, name), 'utf8'))
    writeFileSync(path.join(folder, name.replace(/\.ts$/, '.cjs')), name.endsWith('.ts') ? javaScript(text) : text)
  }
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}

const OPTIONS = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2019, esModuleInterop: true }

/** The Node in Electron 9 has the modules without their scheme only, and no `await` outside of a function. */
function javaScript(text: string): string {
  const script = ts
    .transpileModule(text, { compilerOptions: OPTIONS })
    .outputText.replaceAll('require("node:', 'require("')
  return /^(const \w+ = )?await /m.test(script) ? `exports.done = (async () => {\n${script}\n})()\n` : script
}
