// What a Mach-O file (macOS) asks of the machine that loads it, read from its load commands. 64 bit, one architecture.

const LC = { loadDylib: 0xc, loadWeakDylib: 0x80000018, versionMin: 0x24, buildVersion: 0x32 }
const MACHINES = { 16777223: 'x64', 16777228: 'arm64' }

export const isMachO = (bytes) => bytes.readUInt32LE(0) === 0xfeedfacf

/** Its architecture by Node's name, the libraries it needs, and the oldest macOS it says it runs on. */
export function readMachO(bytes) {
  const machine = bytes.readUInt32LE(4)
  const read = { arch: MACHINES[machine] ?? `machine ${machine}`, libraries: [], oldest: undefined }
  for (const { at, command } of loadCommands(bytes)) {
    if (command === LC.loadDylib || command === LC.loadWeakDylib) read.libraries.push(textAt(bytes, at, 8))
    if (command === LC.versionMin) read.oldest = version(bytes.readUInt32LE(at + 8))
    if (command === LC.buildVersion) read.oldest = version(bytes.readUInt32LE(at + 12))
  }
  return read
}

function* loadCommands(bytes) {
  let at = 32
  for (let left = bytes.readUInt32LE(16); left > 0; left -= 1) {
    yield { at, command: bytes.readUInt32LE(at) }
    at += bytes.readUInt32LE(at + 4)
  }
}

/** A text of a load command, whose place in it is in one of its fields. */
function textAt(bytes, command, field) {
  const start = command + bytes.readUInt32LE(command + field)
  return bytes.toString('latin1', start, bytes.indexOf(0, start))
}

/** `xxxx.yy.zz` in nibbles, without the last part. */
const version = (packed) => `${packed >>> 16}.${(packed >>> 8) & 0xff}`
