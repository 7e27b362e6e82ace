// Reads and writes what is in the sections of a core module, as far as instrumenting it needs.
import { concat, leb, Reader, type Section } from './binary.ts'

/** How many values each type of function takes. @throws RangeError for a type of something else */
export function parameterCounts(reader: Reader): number[] {
  return Array.from({ length: reader.u32() }, () => {
    const form = reader.byte()
    if (form !== 0x60) throw new RangeError(`expected a plain function type: found 0x${form.toString(16)}`)
    const parameters = reader.u32()
    reader.skip(parameters)
    reader.skip(reader.u32())
    return parameters
  })
}

/** How many of what has an index of its own. @throws RangeError for kinds that are not of WebAssembly 2.0 */
export function importsOf(reader: Reader): { functions: number; memories: number } {
  const found = { functions: 0, memories: 0 }
  for (let left = reader.u32(); left > 0; left--) {
    reader.skip(reader.u32())
    reader.skip(reader.u32())
    const kind = reader.byte()
    if (kind === 0) {
      found.functions++
      reader.u32()
    } else if (kind === 1) {
      reader.byte()
      skipLimits(reader)
    } else if (kind === 2) {
      found.memories++
      skipLimits(reader)
    } else if (kind === 3) reader.skip(2)
    else throw new RangeError(`expected an import of a function, table, memory or global: found kind ${kind}`)
  }
  return found
}

function skipLimits(reader: Reader): void {
  const flags = reader.byte()
  reader.u32()
  if (flags & 1) reader.u32()
}

/** A vector of numbers. */
export function numbersOf(reader: Reader): number[] {
  return Array.from({ length: reader.u32() }, () => reader.u32())
}

/** A section that is a vector, with one more item. */
export function appended({ body }: Section, item: readonly number[]): Uint8Array {
  const reader = new Reader(body)
  const count = reader.u32()
  return concat([Uint8Array.from(leb(count + 1)), reader.rest(), Uint8Array.from(item)])
}

export function sectionOf(id: number, body: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([id, ...leb(body.length)]), body])
}

/** A name, as sections have it. */
export function nameBytes(text: string): number[] {
  return [...leb(text.length), ...new TextEncoder().encode(text)]
}

/** Signed LEB128 of a number that is not negative. */
export function signed(value: number): number[] {
  const bytes = leb(value)
  const last = bytes.at(-1)!
  // The highest bit of the last byte's seven would be taken for a sign.
  return last & 0x40 ? [...bytes.slice(0, -1), last | 0x80, 0] : bytes
}
