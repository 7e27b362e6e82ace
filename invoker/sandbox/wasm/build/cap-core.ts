// Writes maxima into the memories and tables of a core module: V8's resourceLimits do not see Wasm memory, so the
// module itself must carry its limit.
import { concat, leb, Reader, sections } from './binary.ts'
import { Refusal } from './job.ts'

const TABLE = 4
const MEMORY = 5
const PAGE_BYTES = 65_536
/** Elements: far above what compilers emit, 8 MB of V8 memory. */
const MAX_TABLE = 1_000_000

export interface CappedCore {
  readonly bytes: Uint8Array
  /** How many it defines. */
  readonly memories: number
}

/**
 * @throws Refusal for shared and 64-bit memories, a minimum above the limit, and kinds of tables that no toolchain of
 * ours writes
 */
export function capCore(core: Uint8Array, memoryMiB: number): CappedCore {
  let memories = 0
  const parts: Uint8Array[] = [core.subarray(0, 8)]
  for (const section of sections(core)) {
    if (section.id === MEMORY) {
      memories += new Reader(section.body).u32()
      parts.push(rebuilt(MEMORY, cappedMemories(section.body, memoryMiB)))
    } else if (section.id === TABLE) parts.push(rebuilt(TABLE, cappedTables(section.body)))
    else parts.push(section.whole)
  }
  return { bytes: concat(parts), memories }
}

function rebuilt(id: number, body: readonly number[]): Uint8Array {
  return Uint8Array.from([id, ...leb(body.length), ...body])
}

function cappedMemories(body: Uint8Array, memoryMiB: number): number[] {
  const reader = new Reader(body)
  const count = reader.u32()
  const capped = leb(count)
  const limitPages = (memoryMiB * 1024 * 1024) / PAGE_BYTES
  for (let index = 0; index < count; index++) {
    const flags = reader.byte()
    if (flags & 0b10) throw refused('a memory that threads share')
    if (flags & 0b100) throw refused('a 64-bit memory')
    if (flags > 0b111) throw refused('a memory with a page size of its own')
    const minimum = reader.u32()
    const maximum = flags & 1 ? reader.u32() : limitPages
    if (minimum > limitPages) {
      throw new Refusal({
        message: `the memory must start with at most memoryMiB = ${memoryMiB}: the module asks for ${Math.ceil((minimum * PAGE_BYTES) / 1024 / 1024)} MiB. Raise memoryMiB.`,
      })
    }
    capped.push(1, ...leb(minimum), ...leb(Math.min(maximum, limitPages)))
  }
  return capped
}

function cappedTables(body: Uint8Array): number[] {
  const reader = new Reader(body)
  const count = reader.u32()
  const capped = leb(count)
  for (let index = 0; index < count; index++) {
    const type = reader.byte()
    if (type !== 0x70 && type !== 0x6f) throw refused('a table of other than funcref or externref')
    const flags = reader.byte()
    if (flags > 1) throw refused('a 64-bit or shared table')
    const minimum = reader.u32()
    const maximum = flags & 1 ? reader.u32() : MAX_TABLE
    if (minimum > MAX_TABLE) throw refused(`a table of ${minimum} elements, more than ${MAX_TABLE}`)
    capped.push(type, 1, ...leb(minimum), ...leb(Math.min(maximum, MAX_TABLE)))
  }
  return capped
}

function refused(what: string): Refusal {
  return new Refusal({
    message: `this platform runs modules with one plain 32-bit memory each: the module has ${what}`,
  })
}
