// wasi:http/types.fields: headers as WASI has them, names in lower case and values in bytes.

type Entry = [name: string, value: Uint8Array]

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// Errors of a WIT `result` are thrown to the glue as plain values.
const INVALID = { tag: 'invalid-syntax' }
const IMMUTABLE = { tag: 'immutable' }

export class Fields {
  #entries: Entry[] = []
  #immutable = false

  static fromList(entries: readonly Entry[]): Fields {
    const fields = new Fields()
    for (const [name, value] of entries) fields.append(name, value)
    return fields
  }

  /** Of headers that came in; the guest cannot change them. */
  static received(headers: readonly (readonly [string, string])[]): Fields {
    const fields = new Fields()
    fields.#entries = headers.map(([name, value]) => [name, Buffer.from(value, 'latin1')])
    fields.#immutable = true
    return fields
  }

  get(name: string): Uint8Array[] {
    const wanted = name.toLowerCase()
    return this.#entries.filter(([key]) => key === wanted).map(([, value]) => value)
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase()
    return this.#entries.some(([key]) => key === wanted)
  }

  set(name: string, values: readonly Uint8Array[]): void {
    this.delete(name)
    for (const value of values) this.append(name, value)
  }

  delete(name: string): void {
    this.#mutate(name)
    const unwanted = name.toLowerCase()
    this.#entries = this.#entries.filter(([key]) => key !== unwanted)
  }

  append(name: string, value: Uint8Array): void {
    this.#mutate(name)
    this.#entries.push([name.toLowerCase(), value])
  }

  entries(): Entry[] {
    return this.#entries
  }

  clone(): Fields {
    const fields = new Fields()
    fields.#entries = [...this.#entries]
    return fields
  }

  /** As the platform has headers. */
  pairs(): [string, string][] {
    return this.#entries.map(([name, value]) => [name, Buffer.from(value).toString('latin1')])
  }

  #mutate(name: string): void {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- how glue takes the error of a result
    if (this.#immutable) throw IMMUTABLE
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- how glue takes the error of a result
    if (!NAME.test(name)) throw INVALID
  }
}
