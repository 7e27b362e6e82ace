// Reads and writes PNG (https://www.w3.org/TR/png-3/): all colour types and depths, without interlacing.
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const MAX_PIXELS = 40_000_000
/** Samples a pixel, by colour type. */
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
const RGBA = 6

/** The bytes are not an image that can be read; the message is for the caller. */
export class PngError extends Error {
  name = 'PngError'
}

/** @returns `{ width, height, pixels }`, four bytes a pixel */
export function decodePng(bytes) {
  const { header, palette, transparency, data } = readChunks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  const { width, height, depth, colorType } = header
  const samples = SAMPLES[colorType]
  const lineBytes = Math.ceil((width * samples * depth) / 8)
  const raw = inflate(data, (lineBytes + 1) * height)
  if (raw.length < (lineBytes + 1) * height) throw new PngError('the image ends too early')
  const pixels = new Uint8Array(width * height * 4)
  const pixelBytes = Math.max(1, (samples * depth) >> 3)
  let above = new Uint8Array(lineBytes)
  for (let y = 0; y < height; y++) {
    const start = y * (lineBytes + 1)
    const line = raw.subarray(start + 1, start + 1 + lineBytes)
    unfilter(raw[start], line, { above, pixelBytes })
    writeLine(line, header, { palette, transparency, target: pixels.subarray(y * width * 4) })
    above = line
  }
  return { width, height, pixels }
}

export function encodePng({ width, height, pixels }) {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  header[9] = RGBA
  const lines = Buffer.alloc((width * 4 + 1) * height)
  for (let y = 0; y < height; y++) {
    lines.set(pixels.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1)
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type, data) {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(data, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length)
  return bytes
}

function readChunks(bytes) {
  if (!bytes.subarray(0, 8).equals(SIGNATURE))
    throw new PngError('the body must be a PNG image: received something else')
  const chunks = new Map()
  const data = []
  for (let at = 8; at + 12 <= bytes.length;) {
    const size = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const content = bytes.subarray(at + 8, at + 8 + size)
    if (type === 'IDAT') data.push(content)
    else chunks.set(type, content)
    at += 12 + size
  }
  const header = readHeader(chunks.get('IHDR'))
  const palette = chunks.get('PLTE')
  if (header.colorType === 3 && palette === undefined) throw new PngError('the image has no palette')
  return { header, palette, transparency: chunks.get('tRNS'), data: Buffer.concat(data) }
}

function readHeader(bytes) {
  if (bytes?.length !== 13) throw new PngError('the image has no header')
  const header = { width: bytes.readUInt32BE(0), height: bytes.readUInt32BE(4), depth: bytes[8], colorType: bytes[9] }
  const { width, height, depth, colorType } = header
  if (width === 0 || height === 0 || width * height > MAX_PIXELS) {
    throw new PngError(`an image has at most ${MAX_PIXELS} pixels: received ${width} x ${height}`)
  }
  if (SAMPLES[colorType] === undefined || ![1, 2, 4, 8, 16].includes(depth))
    throw new PngError('the header is not valid')
  if (bytes[12] !== 0) throw new PngError('interlaced images are not supported')
  return header
}

function inflate(data, size) {
  try {
    return inflateSync(data, { maxOutputLength: size + 64 })
  } catch (cause) {
    throw new PngError('the data of the image cannot be unpacked', { cause })
  }
}

/** Undoes what made the line pack well: each byte is the difference to a guess from its neighbours. */
function unfilter(filter, line, { above, pixelBytes }) {
  if (filter === 0) return
  for (let i = 0; i < line.length; i++) {
    const left = i < pixelBytes ? 0 : line[i - pixelBytes]
    const up = above[i]
    if (filter === 1) line[i] += left
    else if (filter === 2) line[i] += up
    else if (filter === 3) line[i] += (left + up) >> 1
    else if (filter === 4) line[i] += paeth(left, up, i < pixelBytes ? 0 : above[i - pixelBytes])
    else throw new PngError(`there is no filter ${filter}`)
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)]
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}

function writeLine(line, { width, depth, colorType }, { palette, transparency, target }) {
  const samples = SAMPLES[colorType]
  const scale = depth < 8 && colorType !== 3 ? 255 / ((1 << depth) - 1) : 1
  for (let x = 0; x < width; x++) {
    const value = (index) => sampleOf(line, x * samples + index, depth) * scale
    const at = x * 4
    if (colorType === 3) {
      const entry = value(0)
      target.set(palette.subarray(entry * 3, entry * 3 + 3), at)
      target[at + 3] = transparency?.[entry] ?? 255
    } else if (samples <= 2) {
      target.fill(value(0), at, at + 3)
      target[at + 3] = samples === 2 ? value(1) : 255
    } else {
      target[at] = value(0)
      target[at + 1] = value(1)
      target[at + 2] = value(2)
      target[at + 3] = samples === 4 ? value(3) : 255
    }
  }
}

/** Of 16 bits the upper 8 are enough for a thumbnail. */
function sampleOf(line, index, depth) {
  if (depth === 8) return line[index]
  if (depth === 16) return line[index * 2]
  const bit = index * depth
  return (line[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)
}
