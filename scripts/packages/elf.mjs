// What an ELF file (Linux) asks of the machine that loads it, read from the bytes that the loader itself reads: the
// header, the dynamic section and the version requirements. 64 bit, little-endian: all that is built here.

const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT = { needed: 1n, strings: 5n, versions: 0x6ffffffen }
const MACHINES = { 62: 'x64', 183: 'arm64' }

export const isElf = (bytes) => bytes.readUInt32BE(0) === 0x7f454c46

/**
 * Its architecture by Node's name, the libraries it needs, and the versions of their symbols that it needs
 * (`GLIBC_2.17`), each list in the file's order.
 */
export function readElf(bytes) {
  if (bytes[4] !== 2 || bytes[5] !== 1) throw new Error('This ELF file is not of 64 bits, little-endian.')
  const machine = bytes.readUInt16LE(18)
  const segments = readSegments(bytes)
  const dynamic = readDynamic(bytes, segments)
  const offsetOf = (tag) => fileOffset(segments, dynamic.find((entry) => entry.tag === tag)?.value)
  const strings = offsetOf(DT.strings)
  const text = (index) => readText(bytes, strings + index)
  const needed = dynamic.filter(({ tag }) => tag === DT.needed).map(({ value }) => text(Number(value)))
  const versions = offsetOf(DT.versions)
  return {
    arch: MACHINES[machine] ?? `machine ${machine}`,
    libraries: needed,
    versions: versions === undefined ? [] : readVersions(bytes, versions, text),
  }
}

/** Program headers: where what the file holds is found in memory. */
function readSegments(bytes) {
  const [start, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)]
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size
    const number = (field) => bytes.readBigUInt64LE(at + field)
    return { type: bytes.readUInt32LE(at), offset: number(8), address: number(16), length: number(32) }
  })
}

function readDynamic(bytes, segments) {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC)
  if (!segment) return []
  const entries = []
  for (let at = Number(segment.offset); at < Number(segment.offset + segment.length); at += 16) {
    entries.push({ tag: bytes.readBigUInt64LE(at), value: bytes.readBigUInt64LE(at + 8) })
  }
  return entries
}

/** Dynamic entries hold addresses in memory. */
function fileOffset(segments, address) {
  if (address === undefined) return undefined
  const holds = ({ type, address: start, length }) => type === PT_LOAD && address >= start && address < start + length
  const segment = segments.find(holds)
  if (!segment) throw new Error(`No segment of this ELF file holds the address ${address}.`)
  return Number(segment.offset + address - segment.address)
}

/** A list of libraries, each with a list of versions; every entry says how far on the next one is, 0 in the last. */
function readVersions(bytes, start, text) {
  const found = []
  for (const library of chain(bytes, start, 12)) {
    const first = library + bytes.readUInt32LE(library + 8)
    for (const version of chain(bytes, first, 12)) found.push(text(bytes.readUInt32LE(version + 8)))
  }
  return found
}

function* chain(bytes, start, nextField) {
  for (let at = start, next = -1; next !== 0; at += next) {
    yield at
    next = bytes.readUInt32LE(at + nextField)
  }
}

function readText(bytes, start) {
  return bytes.toString('latin1', start, bytes.indexOf(0, start))
}
