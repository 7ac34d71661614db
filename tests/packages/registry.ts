/** A registry on loopback that has tabport's packages, as they would be published, and nothing else. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { fatManifest, platformManifest, rootManifest } from '../../scripts/packages/manifest.mjs'
import { tarballName } from '../../scripts/packages/pack.mjs'
import { platforms } from '../../scripts/packages/targets.mjs'

interface Manifest {
  readonly name: string
  readonly version: string
}

export interface Registry {
  readonly url: string
  /** The packages of which a tarball was asked for. */
  readonly fetched: string[]
  close(): Promise<void>
}

/** Serves the tarballs in `directory`. A platform that was not built has its entry, as published, but no tarball. */
export async function startRegistry(directory: string): Promise<Registry> {
  const packages = new Map(allManifests().map((manifest) => [manifest.name, manifest]))
  const fetched: string[] = []
  const server = createServer(({ url = '/' }, response) => {
    const [name, file] = decodeURIComponent(url.slice(1)).split('/-/') as [string, string?]
    const manifest = packages.get(name)
    const tarball = path.join(directory, tarballName(name))
    if (file) fetched.push(name)
    if (!manifest || (file && !existsSync(tarball))) return answer(response, 404, '{"error":"not found"}')
    if (!file) return answer(response, 200, JSON.stringify(entry(manifest, tarball, base())))
    answer(response, 200, readFileSync(tarball))
  })
  const base = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: base(), fetched, close: () => closed(server) }
}

const allManifests = (): Manifest[] => [rootManifest(), fatManifest([]), ...platforms().map(platformManifest)]

/** What a registry tells about a package with one version. */
function entry({ name, version, ...rest }: Manifest, tarball: string, base: string): object {
  const dist = { tarball: `${base}/${name}/-/${version}.tgz`, ...(existsSync(tarball) && digests(tarball)) }
  const packed = existsSync(tarball) ? (JSON.parse(readPacked(tarball, 'package/package.json')) as object) : rest
  const time = { [version]: '2020-01-01T00:00:00.000Z' }
  return { name, 'dist-tags': { latest: version }, time, versions: { [version]: { ...packed, name, version, dist } } }
}

function digests(tarball: string): object {
  const bytes = readFileSync(tarball)
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  return { integrity, shasum: createHash('sha1').update(bytes).digest('hex') }
}

/** A file in a tarball: blocks of 512 bytes, a header with name and octal length before each file's. */
export function readPacked(tarball: string, wanted: string): string {
  const bytes = gunzipSync(readFileSync(tarball))
  for (let at = 0; at + 512 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, bytes.indexOf(0, at))
    const length = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8) || 0
    if (name === wanted) return bytes.toString('utf8', at + 512, at + 512 + length)
    at += 512 + Math.ceil(length / 512) * 512
  }
  throw new Error(`${tarball} has no ${wanted}`)
}

function answer(response: ServerResponse, status: number, body: string | Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

function closed(server: ReturnType<typeof createServer>): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
