// Copies written blocks of a memory back from an image, and clears the map that says which they were. In WebAssembly,
// because a call writes to some hundred places: from JavaScript each copy would cost as much as the bytes in it.
import { WRITTEN } from '../artifact.ts'
import { moduleOf, section, sized, text } from './assembler.ts'

/** @param blocks in the map, rounded up to 8; @param bytes of the memory */
export type Restore = (blocks: number, bytes: number) => void

interface RestoredMemories {
  readonly memory: WebAssembly.Memory
  readonly written: WebAssembly.Memory
  readonly image: WebAssembly.Memory
}

const I32 = 0x7f
const END = 0x0b
const LOOP = [0x03, 0x40]
const IF = [0x04, 0x40]
const BR = 0x0c
const BR_IF = 0x0d
const RETURN = 0x0f
const GET = 0x20
const SET = 0x21
const CONST = 0x41
const I64_EQZ = 0x50
const LT_U = 0x49
const GE_U = 0x4f
const ADD = 0x6a
const SUB = 0x6b
const AND = 0x71
const SHL = 0x74
const SELECT = 0x1b
const TEE = 0x22

/** Memories by their indices; bit 6 of an access's alignment says that an index follows. */
const GUEST = 0
const MAP = 1
const IMAGE = 2
const LOAD_WORD = [0x29, 0x40, MAP, 0]
const LOAD_BYTE = [0x2d, 0x40, MAP, 0]
const STORE_BYTE = [0x3a, 0x40, MAP, 0]
const COPY = [0xfc, 0x0a, GUEST, IMAGE]

/** Parameters and locals. */
const BLOCKS = 0
const BYTES = 1
const AT = 2
const START = 3
const LENGTH = 4
const LEFT = 5
const LOCALS = [1, 4, I32]

const CODE = [
  [LOOP],
  // if (at >= blocks) return
  [GET, AT, GET, BLOCKS, GE_U, IF, RETURN, END],
  // if (eight blocks are clean) { at += 8; continue }
  [GET, AT, LOAD_WORD, I64_EQZ, IF, GET, AT, CONST, 8, ADD, SET, AT, BR, 1, END],
  // while (!map[at]) at++
  [LOOP, GET, AT, LOAD_BYTE, 0x45, IF, GET, AT, CONST, 1, ADD, SET, AT, BR, 1, END, END],
  [GET, AT, SET, START],
  // do { map[at] = 0 } while (++at < blocks && map[at])
  [LOOP, GET, AT, CONST, 0, STORE_BYTE, GET, AT, CONST, 1, ADD, TEE, AT, GET, BLOCKS, LT_U],
  [IF, GET, AT, LOAD_BYTE, BR_IF, 1, END, END],
  // length = min((at - start) * blockBytes + spillBytes, left = bytes - start * blockBytes)
  [GET, AT, GET, START, SUB, CONST, WRITTEN.blockShift, SHL, CONST, WRITTEN.spillBytes, ADD, SET, LENGTH],
  [GET, START, CONST, WRITTEN.blockShift, SHL, SET, START, GET, BYTES, GET, START, SUB, SET, LEFT],
  // memory.copy(guest[start], image[start], length)
  [GET, START, GET, START, GET, LENGTH, GET, LEFT, GET, LENGTH, GET, LEFT, LT_U, SELECT, COPY],
  // Back to the begin of the eight: others of them may be written too.
  [GET, AT, CONST, 0x78, AND, SET, AT, BR, 0],
  [END, END],
].flat(2)

const MEMORY_IMPORTS = ['memory', 'written', 'image'].map((name) => [...text(''), ...text(name), 2, 0, 0])

const MODULE = moduleOf([
  section(1, [1, 0x60, 2, I32, I32, 0]),
  section(2, [MEMORY_IMPORTS.length, ...MEMORY_IMPORTS.flat()]),
  section(3, [1, 0]),
  section(7, [1, ...text('restore'), 0, 0]),
  section(10, [1, ...sized([...LOCALS, ...CODE])]),
])

let module: WebAssembly.Module | undefined

/** For memories of the sizes that they have now. */
export function restorerOf(memories: RestoredMemories): Restore {
  module ??= new WebAssembly.Module(MODULE)
  return new WebAssembly.Instance(module, { '': memories }).exports.restore as Restore
}
