// Walks the code of a WebAssembly function, one instruction after the other. Knows the instructions that compilers of
// C and Rust emit for the targets we use, and says so when it meets another.
import type { Reader } from './binary.ts'

export const Op = {
  end: 0x0b,
  i32Store: 0x36,
  i64Store: 0x37,
  f32Store: 0x38,
  f64Store: 0x39,
  i32Store8: 0x3a,
  i32Store16: 0x3b,
  i64Store8: 0x3c,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
  bulk: 0xfc,
} as const

/** The second byte after `Op.bulk`. */
export const Bulk = { memoryInit: 8, memoryCopy: 10, memoryFill: 11 } as const

export interface Instruction {
  readonly op: number
  /** Its LEB128 immediates; of `Op.bulk` the first says which it is. Empty where they are of other kinds. */
  readonly immediates: readonly number[]
}

/** Instructions with one LEB128 number after them. */
const WITH_ONE: readonly number[] = [
  // block, loop, if: a type; br, br_if, call, return_call
  0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x12,
  // local and global get, set, tee; table get, set; memory.size, memory.grow; i32.const, i64.const; ref.null, ref.func
  0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2,
]
/** call_indirect, return_call_indirect. Loads and stores have two as well. */
const WITH_TWO: readonly number[] = [0x11, 0x13]
const FIRST_ACCESS = 0x28
const BULK_NUMBERS = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1]
const BR_TABLE = 0x0e
const SELECT_TYPED = 0x1c
const F32_CONST = 0x43
const F64_CONST = 0x44
const REF_IS_NULL = 0xd1
const COUNTS: readonly number[] = Array.from({ length: 256 }, (_, op) => {
  if (WITH_TWO.includes(op) || (op >= FIRST_ACCESS && op <= Op.i64Store32)) return 2
  return WITH_ONE.includes(op) ? 1 : 0
})
/** Exceptions, what is reserved, and what lies above the numeric instructions: SIMD, threads, garbage collection. */
const isUnknown = (op: number): boolean =>
  (op >= 0x06 && op <= 0x0a) ||
  (op >= 0x14 && op <= 0x19) ||
  (op >= 0x1d && op <= 0x1f) ||
  op === 0x27 ||
  (op > 0xc4 && op !== 0xd0 && op !== REF_IS_NULL && op !== 0xd2 && op !== Op.bulk)

/**
 * Reads one instruction.
 * @throws RangeError for one that is not known here, naming it
 */
export function readInstruction(reader: Reader): Instruction {
  const op = reader.byte()
  if (isUnknown(op)) throw new RangeError(`expected an instruction of C or Rust: found 0x${op.toString(16)}`)
  if (op === F32_CONST || op === F64_CONST) {
    reader.skip(op === F32_CONST ? 4 : 8)
    return { op, immediates: [] }
  }
  if (op === BR_TABLE) return { op, immediates: numbers(reader, reader.u32() + 1) }
  if (op === SELECT_TYPED) return { op, immediates: numbers(reader, reader.u32()) }
  if (op === Op.bulk) {
    const which = reader.u32()
    const count = BULK_NUMBERS[which]
    if (count === undefined) throw new RangeError(`expected an instruction of C or Rust: found 0xfc ${which}`)
    return { op, immediates: [which, ...numbers(reader, count)] }
  }
  return { op, immediates: numbers(reader, COUNTS[op] ?? 0) }
}

/** Signed ones are read as if unsigned: only their length counts. */
function numbers(reader: Reader, count: number): number[] {
  return Array.from({ length: count }, () => reader.u32())
}
