'use strict'
// A set of files as one run of bytes: core/pack.ts has the format.
const fs = require('node:fs')
const path = require('node:path')

const CODE_DIR = '/fn'

/** Writes files as their bytes arrive, so that code is never in memory twice. The format is in core/pack.ts. */
class Unpacker {
  #parser = this.#parse()
  #parts = []
  #have = 0
  #want

  constructor() {
    this.#want = this.#parser.next().value
  }

  push(bytes) {
    this.#parts.push(bytes)
    this.#have += bytes.length
    while (this.#want !== undefined && this.#have > 0 && this.#have >= this.#want.least) {
      const all = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
      const size = Math.min(all.length, this.#want.most)
      this.#parts = [all.subarray(size)]
      this.#have -= size
      this.#want = this.#parser.next(all.subarray(0, size)).value
    }
  }

  end() {
    if (this.#want !== undefined) throw new Error('the code ended too early')
  }

  *#parse() {
    for (let files = yield* readNumber(); files > 0; files--) {
      const length = yield* readNumber()
      const name = length === 0 ? '' : (yield { least: length, most: length }).toString('utf8')
      const file = openFile(name)
      for (let left = yield* readNumber(); left > 0;) {
        const bytes = yield { least: 1, most: left }
        fs.writeSync(file, bytes)
        left -= bytes.length
      }
      fs.closeSync(file)
    }
  }
}

function* readNumber() {
  return (yield { least: 4, most: 4 }).readUInt32LE(0)
}

function openFile(name) {
  const parts = name.split('/')
  if (
    name.startsWith('/') ||
    name.includes('\0') ||
    parts.some((part) => part === '' || part === '.' || part === '..')
  ) {
    throw new Error(`the path of a file must be relative and inside of the function: received ${JSON.stringify(name)}`)
  }
  const target = path.join(CODE_DIR, ...parts)
  fs.mkdirSync(path.dirname(target), { recursive: true })
  return fs.openSync(target, 'w', 0o755)
}

/** @param files pairs of path and bytes */
function packOf(files) {
  const parts = [numberOf(files.length)]
  for (const [name, bytes] of files)
    parts.push(numberOf(Buffer.byteLength(name)), Buffer.from(name), numberOf(bytes.length), bytes)
  return Buffer.concat(parts)
}

function numberOf(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

module.exports = { CODE_DIR, Unpacker, packOf }
