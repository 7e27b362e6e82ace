// Instruments core modules that share a memory so that every instruction that writes to it also notes which block it
// wrote to, in a second memory: after a call only these blocks are restored. Knows nothing of who reads the map; what
// the host writes into the memory is noted by host/watched-views.ts.
import { WRITTEN } from '../artifact.ts'
import { concat, leb, Reader, sections } from './binary.ts'
import { appended, importsOf, nameBytes, numbersOf, parameterCounts, sectionOf, signed } from './core-sections.ts'
import { Bulk, Op, readInstruction } from './instructions.ts'

const Id = { custom: 0, type: 1, import: 2, function: 3, memory: 5, export: 7, code: 10 } as const
const PAGE_BYTES = 65_536
const I32 = 0x7f
const MEMORY_KIND = 2

/** Opcodes of what is inserted. */
const LOCAL_GET = 0x20
const LOCAL_SET = 0x21
const LOCAL_TEE = 0x22
const CALL = 0x10
const I32_CONST = 0x41
const I32_ADD = 0x6a
const I32_SUB = 0x6b
const I32_LT_U = 0x49
const IF = 0x04
const LOOP = 0x03
const BR_IF = 0x0d
const NOTHING = 0x40
const I32_SHR_U = 0x76

/** Which of the added locals takes the value of a store. The first, 0, takes the address. */
const VALUE_LOCAL: Readonly<Record<number, number>> = {
  [Op.i32Store]: 1,
  [Op.i32Store8]: 1,
  [Op.i32Store16]: 1,
  [Op.i64Store]: 2,
  [Op.i64Store8]: 2,
  [Op.i64Store16]: 2,
  [Op.i64Store32]: 2,
  [Op.f32Store]: 3,
  [Op.f64Store]: 4,
}
/** Groups of a count and a type: two i32, then i64, f32 and f64. A bulk write needs a third i32. */
const ADDED_LOCALS = [2, I32, 1, 0x7e, 1, 0x7d, 1, 0x7c, 1, I32]
const ADDED_GROUPS = 5
const THIRD_I32 = 5

/**
 * Modules without a memory, or whose memory is empty, stay as they are.
 * @param limitBytes the most that the memory can have
 * @throws RangeError when one of them uses instructions that are not known here; Error when there is more than one
 * memory to note writes of
 */
export function withWrittenMap(cores: ReadonlyMap<string, Uint8Array>, limitBytes: number): Map<string, Uint8Array> {
  const roles = new Map([...cores].map(([name, core]) => [name, roleOf(core)]))
  const owners = [...roles.values()].filter((role) => role === 'owner').length
  if (owners !== 1) throw new Error(`expected one module with a memory: found ${owners}`)
  return new Map(
    [...cores].map(([name, core]) => {
      const role = roles.get(name)
      return [name, role === 'owner' || role === 'user' ? instrument(core, role, limitBytes) : core]
    }),
  )
}

type Role = 'owner' | 'user' | 'none'

function roleOf(core: Uint8Array): Role {
  for (const { id, body } of sections(core)) {
    const reader = new Reader(body)
    if (id === Id.import && importsOf(reader).memories > 0) return 'user'
    // One memory: a count of 1, flags, the minimum.
    if (id === Id.memory && reader.u32() === 1 && reader.byte() <= 1 && reader.u32() > 0) return 'owner'
  }
  return 'none'
}

function instrument(core: Uint8Array, role: Role, limitBytes: number): Uint8Array {
  const all = [...sections(core)].filter(({ id }) => id !== Id.custom)
  const body = (id: number): Reader => new Reader(all.find((section) => section.id === id)?.body ?? Uint8Array.of(0))
  const types = parameterCounts(body(Id.type))
  const functions = numbersOf(body(Id.function))
  const imported = importsOf(body(Id.import)).functions
  const code: CodeContext = {
    parameters: functions.map((type) => types[type]!),
    noteRange: imported + functions.length,
  }
  const mapPages = Math.ceil(limitBytes / WRITTEN.blockBytes / PAGE_BYTES)
  const added: Readonly<Record<number, readonly number[]>> = {
    [Id.type]: [0x60, 2, I32, I32, 0],
    [Id.function]: leb(types.length),
    ...(role === 'user'
      ? { [Id.import]: [...nameBytes(WRITTEN.module), ...nameBytes(WRITTEN.name), MEMORY_KIND, 0, ...leb(1)] }
      : {
          [Id.memory]: [1, ...leb(mapPages), ...leb(mapPages)],
          [Id.export]: [...nameBytes(WRITTEN.name), MEMORY_KIND, 1],
        }),
  }
  const rebuilt = all.map((section) => {
    if (section.id === Id.code) return sectionOf(Id.code, instrumentCode(section.body, code))
    const more = added[section.id]
    return more === undefined ? section.whole : sectionOf(section.id, appended(section, more))
  })
  return concat([core.subarray(0, 8), ...rebuilt])
}

interface CodeContext {
  /** Of each function that the module defines, how many it takes. */
  readonly parameters: readonly number[]
  /** The function that notes a range; the last one. */
  readonly noteRange: number
}

function instrumentCode(body: Uint8Array, context: CodeContext): Uint8Array {
  const reader = new Reader(body)
  const count = reader.u32()
  const parts: Uint8Array[] = [Uint8Array.from(leb(count + 1))]
  for (let index = 0; index < count; index++) {
    const original = reader.take(reader.u32())
    const changed = instrumentFunction(original, context.parameters[index]!, context.noteRange) ?? [original]
    parts.push(Uint8Array.from(leb(changed.reduce((sum, part) => sum + part.length, 0))), ...changed)
  }
  parts.push(Uint8Array.from([...leb(NOTE_RANGE.length), ...NOTE_RANGE]))
  return concat(parts)
}

/** @returns undefined for a function that writes nothing */
function instrumentFunction(code: Uint8Array, parameters: number, noteRange: number): Uint8Array[] | undefined {
  const reader = new Reader(code)
  const groups = reader.u32()
  const groupsStart = reader.offset
  let locals = parameters
  for (let group = 0; group < groups; group++) {
    locals += reader.u32()
    reader.byte()
  }
  const head = Uint8Array.from([
    ...leb(groups + ADDED_GROUPS),
    ...code.subarray(groupsStart, reader.offset),
    ...ADDED_LOCALS,
  ])
  const parts: Uint8Array[] = [head]
  let kept = reader.offset
  while (!reader.done) {
    const start = reader.offset
    const { op, immediates } = readInstruction(reader)
    const around = noting({ op, immediates, locals, noteRange })
    if (around === undefined) continue
    parts.push(code.subarray(kept, start), Uint8Array.from(around.before))
    parts.push(code.subarray(start, reader.offset), Uint8Array.from(around.after))
    kept = reader.offset
  }
  if (parts.length === 1) return undefined
  parts.push(code.subarray(kept))
  return parts
}

interface Write {
  readonly op: number
  readonly immediates: readonly number[]
  /** The index of the first added local. */
  readonly locals: number
  readonly noteRange: number
}

/** What to put around an instruction that writes; undefined for one that does not. */
function noting({ op, immediates, locals, noteRange }: Write): { before: number[]; after: number[] } | undefined {
  const address = leb(locals)
  const value = VALUE_LOCAL[op]
  if (value !== undefined) {
    const [, offset = 0] = immediates
    const spare = leb(locals + value)
    return {
      before: [LOCAL_SET, ...spare, LOCAL_TEE, ...address, LOCAL_GET, ...spare],
      after: [LOCAL_GET, ...address, ...(offset === 0 ? [] : [I32_CONST, ...signed(offset), I32_ADD]), ...NOTE_BLOCK],
    }
  }
  const isBulk =
    op === Op.bulk && ([Bulk.memoryInit, Bulk.memoryCopy, Bulk.memoryFill] as number[]).includes(immediates[0]!)
  if (!isBulk) return undefined
  const second = leb(locals + 1)
  const length = leb(locals + THIRD_I32)
  return {
    before: [
      LOCAL_SET,
      ...length,
      LOCAL_SET,
      ...second,
      LOCAL_TEE,
      ...address,
      LOCAL_GET,
      ...second,
      LOCAL_GET,
      ...length,
    ],
    after: [LOCAL_GET, ...address, LOCAL_GET, ...length, CALL, ...leb(noteRange)],
  }
}

// i32.store8 to memory 1: bit 6 of the alignment says that the memory's index follows.
const STORE_MARK = [I32_CONST, 1, Op.i32Store8, 0x40, 1, 0]
const BLOCK_OF = [I32_CONST, WRITTEN.blockShift, I32_SHR_U]
/** Address on the stack → a 1 in the map. The store before has trapped if the address was out of bounds. */
const NOTE_BLOCK = [...BLOCK_OF, ...STORE_MARK]

/** A function (address, length) without locals of its own: notes every block of the range. */
const NOTE_RANGE = [
  [0],
  // if (length) {
  [LOCAL_GET, 1, IF, NOTHING],
  // length = (address + length - 1) >> shift, which is the last block; address >>= shift, which is the first
  [LOCAL_GET, 0, LOCAL_GET, 1, I32_ADD, I32_CONST, 1, I32_SUB, ...BLOCK_OF, LOCAL_SET, 1],
  [LOCAL_GET, 0, ...BLOCK_OF, LOCAL_SET, 0],
  // do { map[address] = 1
  [LOOP, NOTHING, LOCAL_GET, 0, ...STORE_MARK],
  // } while (address++ < length) }
  [LOCAL_GET, 0, LOCAL_GET, 1, I32_LT_U, LOCAL_GET, 0, I32_CONST, 1, I32_ADD, LOCAL_SET, 0, BR_IF, 0],
  [Op.end, Op.end, Op.end],
].flat()
