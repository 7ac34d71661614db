// What a PE file (Windows) asks of the machine that loads it, read from its headers and its import table. 64 bit.

const MACHINES = { 34404: 'x64', 43620: 'arm64' }
const DIRECTORIES = 112
const IMPORTS = 1
const SECTION_BYTES = 40
const IMPORT_BYTES = 20

export const isPe = (bytes) => bytes.toString('latin1', 0, 2) === 'MZ'

/** Its architecture by Node's name and the libraries it needs. */
export function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c)
  const machine = bytes.readUInt16LE(header + 4)
  return { arch: MACHINES[machine] ?? `machine ${machine}`, libraries: readImports(bytes, header) }
}

function readImports(bytes, header) {
  const optional = header + 24
  const table = bytes.readUInt32LE(optional + DIRECTORIES + IMPORTS * 8)
  if (table === 0) return []
  const sections = readSections(bytes, header)
  const libraries = []
  for (let at = fileOffset(sections, table); ; at += IMPORT_BYTES) {
    const name = bytes.readUInt32LE(at + 12)
    if (name === 0) return libraries
    const start = fileOffset(sections, name)
    libraries.push(bytes.toString('latin1', start, bytes.indexOf(0, start)))
  }
}

function readSections(bytes, header) {
  const start = header + 24 + bytes.readUInt16LE(header + 20)
  return Array.from({ length: bytes.readUInt16LE(header + 6) }, (_, index) => {
    const at = start + index * SECTION_BYTES
    const [length, address, stored, offset] = [8, 12, 16, 20].map((field) => bytes.readUInt32LE(at + field))
    return { address, length: Math.max(length, stored), offset }
  })
}

/** Headers hold addresses in memory. */
function fileOffset(sections, address) {
  const section = sections.find(({ address: start, length }) => address >= start && address < start + length)
  if (!section) throw new Error(`No section of this PE file holds the address ${address}.`)
  return section.offset + address - section.address
}
