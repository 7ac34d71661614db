/**
 * What the crates that are linked into the addon want to be said wherever it goes: their copyright notices and licences,
 * as each crate has them. Every platform's addon is meant, so that all packages have the same text.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { inRoot } from '../lib/paths.mjs'
import { ask } from '../lib/run.mjs'
import { StepError } from '../lib/step.mjs'
import { platforms } from './targets.mjs'

const FILES = /^(licen[cs]e|copying|copyright|notice|unlicense)/i
const RULE = `\n${'-'.repeat(80)}\n`
const OPENING = `The native addon of tabport has these works in it, each under the licence that follows its name.\n`
/** Of these, what is in the registry has no file that says it. */
const ONLY_NAMED = 'MIT'
/** Not a crate of the registry, and in every addon. */
const STANDARD_LIBRARY = { name: 'The Rust standard library', authors: ['The Rust Project contributors'] }

/** The text of one file for all of them. */
export function thirdPartyLicences() {
  const names = new Map()
  for (const crate of linkedCrates()) {
    for (const text of textsOf(crate)) names.set(text, [...(names.get(text) ?? []), `${crate.name} ${crate.version}`])
  }
  names.set(mit(STANDARD_LIBRARY), [STANDARD_LIBRARY.name])
  return [OPENING, ...Array.from(names, ([text, crates]) => `${crates.join(', ')}\n\n${text}\n`)].join(RULE)
}

/** The crates that are in the addon of any platform: neither ours, nor only there while it is compiled. */
export function linkedCrates() {
  const targets = platforms().flatMap(({ triple }) => ['--target', triple])
  const options = ['--package', 'tabport-node', '--edges', 'normal,no-proc-macro', '--prefix', 'none', ...targets]
  const tree = cargo('tree', ...options).matchAll(/^(\S+) v(\S+)/gm)
  const linked = new Set(Array.from(tree, ([, name, version]) => `${name} ${version}`))
  const { packages } = JSON.parse(cargo('metadata', '--format-version', '1'))
  return packages.filter(({ name, version, source }) => source && linked.has(`${name} ${version}`))
}

function cargo(command, ...options) {
  const printed = ask('cargo', [command, '--locked', ...options], { stderr: 'inherit' })
  if (!printed) throw new StepError('Cargo does not say which crates the addon is made of.')
  return printed
}

function textsOf(crate) {
  const folder = path.dirname(crate.manifest_path)
  const files = readdirSync(folder, { withFileTypes: true }).filter((file) => file.isFile() && FILES.test(file.name))
  if (files.length > 0) return files.map(({ name }) => readFileSync(path.join(folder, name), 'utf8').trim())
  if (crate.license !== ONLY_NAMED) throw new StepError(`${crate.name} has no file that says its licence.`)
  return [mit(crate)]
}

/** This repository is under the same licence. */
function mit({ name, authors }) {
  const holders = authors.length > 0 ? authors.join(', ') : `the authors of ${name}`
  return readFileSync(inRoot('LICENSE'), 'utf8')
    .trim()
    .replace(/^Copyright .*$/m, `Copyright (c) ${holders}`)
}
