// The core instances of one component instance: all of its state that lies in Wasm, and a count of what it waits for,
// which lies in the glue.

import { WRITTEN } from '../artifact.ts'
import { watch } from './watched-views.ts'

type ImportObject = Record<string, Record<string, unknown>>

type Imported = (...args: number[]) => unknown

/** What an asynchronous read answers when its value is still to come. */
const BLOCKED = 0xffff_ffff

export interface GuestMemory {
  readonly memory: WebAssembly.Memory
  /** Which blocks were written to, by a byte for each; undefined when nobody notes it. See WRITTEN. */
  readonly written: Uint8Array | undefined
}

export class Cores {
  readonly memories: GuestMemory[] = []
  readonly tables: WebAssembly.Table[] = []
  readonly globals: WebAssembly.Global[] = []
  /** Sets of things to wait for that the guest has. */
  #sets = 0
  /** Futures whose value the glue will write into the guest's memory when it comes. */
  readonly #reads = new Set<number>()
  #written: WebAssembly.Memory | undefined

  /** What the glue calls in place of WebAssembly.instantiate. */
  readonly instantiate = (module: WebAssembly.Module, imports: ImportObject = {}): WebAssembly.Instance => {
    for (const group of Object.values(imports)) this.#watch(group)
    const instance = new WebAssembly.Instance(module, {
      ...imports,
      [WRITTEN.module]: { [WRITTEN.name]: this.#written },
    })
    const { [WRITTEN.name]: written, ...others } = instance.exports
    if (written instanceof WebAssembly.Memory) this.#written = written
    for (const value of Object.values(others)) this.#keep(value, written)
    return instance
  }

  /** Whether the guest waits for nothing: nothing will be written into its memory, and no event comes to it. */
  get atRest(): boolean {
    return this.#sets === 0 && this.#reads.size === 0
  }

  get memoryBytes(): number {
    return this.memories.reduce((sum, { memory }) => sum + memory.buffer.byteLength, 0)
  }

  #keep(value: unknown, written: unknown): void {
    if (value instanceof WebAssembly.Memory) this.#keepMemory(value, written)
    else if (value instanceof WebAssembly.Table) this.tables.push(value)
    else if (value instanceof WebAssembly.Global && isMutable(value)) this.globals.push(value)
  }

  #keepMemory(memory: WebAssembly.Memory, map: unknown): void {
    const written = map instanceof WebAssembly.Memory ? new Uint8Array(map.buffer) : undefined
    if (written !== undefined) watch(memory.buffer, written)
    this.memories.push({ memory, written })
  }

  /** Looks at the calls by which the guest begins to wait, and ends it. */
  #watch(group: Record<string, unknown>): void {
    for (const [name, original] of Object.entries(group)) {
      const note = this.#noteOf(name)
      if (note === undefined || typeof original !== 'function') continue
      const watched = (...args: number[]): unknown => {
        const result = (original as Imported)(...args)
        note(args[0] ?? 0, args[1] ?? 0, result)
        return result
      }
      // The glue marks functions with properties that it reads later.
      group[name] = Object.assign(watched, original)
    }
  }

  #noteOf(name: string): ((handle: number, set: number, result: unknown) => void) | undefined {
    if (name === '[waitable-set-new]') return () => (this.#sets += 1)
    if (name === '[waitable-set-drop]') return () => (this.#sets -= 1)
    // Leaving a set, which is joining set 0, follows the delivery of the value.
    if (name === '[waitable-join]') return (handle, set) => set === 0 && this.#reads.delete(handle)
    if (name.startsWith('[future-cancel-read-')) return (handle) => this.#reads.delete(handle)
    if (!name.startsWith('[async-lower][future-read-')) return undefined
    return (handle, _pointer, result) => Number(result) >>> 0 === BLOCKED && this.#reads.add(handle)
  }
}

function isMutable(global: WebAssembly.Global): boolean {
  try {
    const { value } = global
    global.value = value
    return true
  } catch {
    return false
  }
}
