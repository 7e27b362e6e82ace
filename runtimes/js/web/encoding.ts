// TextEncoder and TextDecoder for UTF-8, UTF-16LE and Latin-1, on what QuickJS does natively. A loop over the bytes in
// an interpreter costs 90 ns each; btoa, toBase64, escape and decodeURIComponent together cost 3 to 30.

interface Base64Bytes {
  toBase64(): string
}
const fromBase64 = (Uint8Array as unknown as { fromBase64(text: string): Uint8Array }).fromBase64.bind(Uint8Array)
declare function escape(text: string): string
declare function unescape(text: string): string

// oxlint-disable-next-line no-control-regex -- ASCII begins at 0
const NOT_ASCII = /[^\0-\x7f]/
const EMPTY = new Uint8Array(0)

/** UTF-8; lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  if (text === '') return EMPTY.slice()
  const binary = NOT_ASCII.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text
  return fromBase64(btoa(binary))
}

/** UTF-8; malformed sequences become U+FFFD, or throw a TypeError when `fatal`. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array, fatal = false): string {
  if (bytes.length === 0) return ''
  const binary = atob((bytes as unknown as Base64Bytes).toBase64())
  if (!NOT_ASCII.test(binary)) return binary
  try {
    return decodeURIComponent(escape(binary))
  } catch {
    if (fatal) throw new TypeError('The encoded data was not valid for encoding utf-8')
    return decodeLossy(bytes)
  }
}

/** The WHATWG decoder: one U+FFFD for every maximal part of a sequence. */
function decodeLossy(bytes: Uint8Array): string {
  const parts: string[] = []
  let chunk: number[] = []
  for (let index = 0; index < bytes.length;) {
    const { length, point } = sequenceAt(bytes, index)
    chunk.push(point)
    index += length
    if (chunk.length === 4096) {
      parts.push(String.fromCodePoint(...chunk))
      chunk = []
    }
  }
  parts.push(String.fromCodePoint(...chunk))
  return parts.join('')
}

interface Sequence {
  readonly length: number
  readonly point: number
  /** The bytes end before the sequence does. */
  readonly cut?: true
}

function sequenceAt(bytes: Uint8Array, index: number): Sequence {
  const lead = bytes[index] as number
  if (lead < 0x80) return { length: 1, point: lead }
  if (lead < 0xc2 || lead > 0xf4) return { length: 1, point: 0xfffd }
  const needed = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3
  let point = lead & (0x3f >> needed)
  for (let step = 1; step <= needed; step++) {
    const byte = bytes[index + step]
    if (byte === undefined) return { length: step, point: 0xfffd, cut: true }
    const [low, high] = step === 1 ? boundsAfter(lead) : [0x80, 0xbf]
    if (byte < low || byte > high) return { length: step, point: 0xfffd }
    point = (point << 6) | (byte & 0x3f)
  }
  return { length: needed + 1, point }
}

/** Overlong forms, surrogates and what is above U+10FFFF show in the second byte. */
function boundsAfter(lead: number): [number, number] {
  if (lead === 0xe0) return [0xa0, 0xbf]
  if (lead === 0xed) return [0x80, 0x9f]
  if (lead === 0xf0) return [0x90, 0xbf]
  if (lead === 0xf4) return [0x80, 0x8f]
  return [0x80, 0xbf]
}

/** How many bytes at the end begin a sequence that more bytes could complete. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return sequenceAt(bytes, bytes.length - back).cut === true ? back : 0
  }
  return 0
}

export type BufferSource = ArrayBuffer | ArrayBufferView

/** A view, not a copy. */
export function bytesOf(source: BufferSource): Uint8Array {
  if (source instanceof Uint8Array) return source
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
  return new Uint8Array(source)
}

export class TextEncoder {
  get encoding(): string {
    return 'utf-8'
  }

  encode(text: unknown = ''): Uint8Array {
    return encodeUtf8(String(text))
  }

  encodeInto(source: string, destination: Uint8Array): { read: number; written: number } {
    let read = 0
    let written = 0
    for (const character of String(source)) {
      const bytes = encodeUtf8(character)
      if (written + bytes.length > destination.length) break
      destination.set(bytes, written)
      read += character.length
      written += bytes.length
    }
    return { read, written }
  }
}

const LABELS: Readonly<Record<string, string>> = {
  utf8: 'utf-8',
  'utf-8': 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  'utf-16': 'utf-16le',
  'utf-16le': 'utf-16le',
  ascii: 'windows-1252',
  'us-ascii': 'windows-1252',
  latin1: 'windows-1252',
  'iso-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
}

/** The bytes 0x80 to 0x9f of windows-1252; those without a character map to themselves. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

export class TextDecoder {
  readonly encoding: string
  readonly fatal: boolean
  readonly ignoreBOM: boolean
  #kept: Uint8Array = EMPTY
  #atStart = true

  constructor(label: unknown = 'utf-8', options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    const encoding = LABELS[String(label).trim().toLowerCase()]
    if (encoding === undefined) throw new RangeError(`The "${String(label)}" encoding is not supported`)
    this.encoding = encoding
    this.fatal = Boolean(options.fatal)
    this.ignoreBOM = Boolean(options.ignoreBOM)
  }

  decode(source?: BufferSource, { stream = false }: { stream?: boolean } = {}): string {
    let bytes = source === undefined ? EMPTY : bytesOf(source)
    if (this.#kept.length > 0) {
      const joined = new Uint8Array(this.#kept.length + bytes.length)
      joined.set(this.#kept)
      joined.set(bytes, this.#kept.length)
      bytes = joined
    }
    this.#kept = EMPTY
    if (stream) {
      const keep = this.encoding === 'utf-8' ? unfinished(bytes) : this.encoding === 'utf-16le' ? bytes.length % 2 : 0
      this.#kept = bytes.slice(bytes.length - keep)
      bytes = bytes.subarray(0, bytes.length - keep)
    }
    return this.#withoutBom(this.#decodeWhole(bytes), stream)
  }

  #decodeWhole(bytes: Uint8Array): string {
    if (this.encoding === 'utf-8') return decodeUtf8(bytes, this.fatal)
    if (this.encoding === 'utf-16le') return decodeUtf16(bytes, this.fatal)
    const binary = atob((bytes as unknown as Base64Bytes).toBase64())
    return binary.replaceAll(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80] ?? character)
  }

  #withoutBom(text: string, more: boolean): string {
    const first = this.#atStart
    if (text !== '') this.#atStart = false
    if (!more) this.#atStart = true
    return first && !this.ignoreBOM && this.encoding !== 'windows-1252' && text.startsWith('\ufeff')
      ? text.slice(1)
      : text
  }
}

function decodeUtf16(bytes: Uint8Array, fatal: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: string[] = []
  for (let index = 0; index + 1 < bytes.length; index += 2) parts.push(String.fromCharCode(view.getUint16(index, true)))
  const text = parts.join('')
  if (fatal && (bytes.length % 2 === 1 || !text.isWellFormed())) {
    throw new TypeError('The encoded data was not valid for encoding utf-16le')
  }
  return text.toWellFormed() + (bytes.length % 2 === 1 ? '\ufffd' : '')
}
