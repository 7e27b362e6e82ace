// FormData, and multipart/form-data in both directions.
import { Blob, blobBytes, File, joined } from './blob.ts'
import { decodeUtf8, encodeUtf8 } from './encoding.ts'

export type FormEntry = string | File

export class FormData {
  #list: [string, FormEntry][] = []

  append(name: string, value: unknown, filename?: string): void {
    this.#list.push([String(name).toWellFormed(), entryOf(value, filename)])
  }

  set(name: string, value: unknown, filename?: string): void {
    const key = String(name).toWellFormed()
    const first = this.#list.findIndex((pair) => pair[0] === key)
    if (first < 0) return this.append(name, value, filename)
    this.#list[first] = [key, entryOf(value, filename)]
    this.#list = this.#list.filter((pair, index) => pair[0] !== key || index === first)
  }

  get(name: string): FormEntry | null {
    return this.#list.find((pair) => pair[0] === name)?.[1] ?? null
  }

  getAll(name: string): FormEntry[] {
    return this.#list.filter((pair) => pair[0] === name).map((pair) => pair[1])
  }

  has(name: string): boolean {
    return this.#list.some((pair) => pair[0] === name)
  }

  delete(name: string): void {
    this.#list = this.#list.filter((pair) => pair[0] !== name)
  }

  forEach(visit: (value: FormEntry, name: string, form: FormData) => void, self?: unknown): void {
    for (const [name, value] of this) visit.call(self, value, name, this)
  }

  *entries(): IterableIterator<[string, FormEntry]> {
    for (const [name, value] of this.#list) yield [name, value]
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.#list) yield name
  }

  *values(): IterableIterator<FormEntry> {
    for (const [, value] of this.#list) yield value
  }

  [Symbol.iterator](): IterableIterator<[string, FormEntry]> {
    return this.entries()
  }

  get [Symbol.toStringTag](): string {
    return 'FormData'
  }
}

function entryOf(value: unknown, filename: string | undefined): FormEntry {
  if (!(value instanceof Blob)) return String(value).toWellFormed()
  if (value instanceof File && filename === undefined) return value
  return new File([value], filename ?? 'blob', { type: value.type })
}

export function encodeMultipart(form: FormData, boundary: string): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"`
    if (typeof value === 'string') {
      parts.push(encodeUtf8(`${head}\r\n\r\n${value.replaceAll(/\r?\n|\r/g, '\r\n')}\r\n`))
    } else {
      const type = value.type === '' ? 'application/octet-stream' : value.type
      parts.push(encodeUtf8(`${head}; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`))
      parts.push(blobBytes(value), encodeUtf8('\r\n'))
    }
  }
  parts.push(encodeUtf8(`--${boundary}--\r\n`))
  return joined(parts)
}

function escapeName(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22')
}

/** @throws TypeError when the body is not what its content type says */
export function parseMultipart(body: Uint8Array, boundary: string): FormData {
  const form = new FormData()
  const delimiter = encodeUtf8(`--${boundary}`)
  let at = indexOf(body, delimiter, 0)
  while (at >= 0) {
    const start = at + delimiter.length
    if (body[start] === 0x2d && body[start + 1] === 0x2d) return form
    const next = indexOf(body, delimiter, start)
    if (next < 0) break
    // The line end belongs to the delimiter that follows.
    addPart(form, body.subarray(start + 2, next - 2))
    at = next
  }
  throw new TypeError('the body is not the multipart/form-data that its content type says')
}

const HEAD_END = Uint8Array.of(13, 10, 13, 10)

function addPart(form: FormData, part: Uint8Array): void {
  const end = indexOf(part, HEAD_END, 0)
  const head = decodeUtf8(part.subarray(0, Math.max(end, 0)))
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1] ?? ''
  const name = parameter(disposition, 'name')
  if (end < 0 || name === undefined) throw new TypeError('a part of the form has no name')
  const content = part.subarray(end + 4)
  const filename = parameter(disposition, 'filename')
  if (filename === undefined) return form.append(name, decodeUtf8(content))
  const type = /^content-type:[ \t]*([^\r\n]*)/im.exec(head)?.[1] ?? 'text/plain'
  form.append(name, new File([content], filename, { type }))
}

function parameter(disposition: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|;)\\s*${name}="([^"]*)"`, 'i').exec(disposition)?.[1]
  return value?.replaceAll(/%0a/gi, '\n').replaceAll(/%0d/gi, '\r').replaceAll('%22', '"')
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  // The engine's search for one byte is native; a loop over a large file would not be.
  for (let at = bytes.indexOf(wanted[0] as number, from); at >= 0; at = bytes.indexOf(wanted[0] as number, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at
  }
  return -1
}
