// The core instances of one component instance: all of its state that lies in Wasm.
import { WRITTEN } from '../artifact.ts'

type ImportObject = Record<string, Record<string, unknown>>

export interface CoreMemory {
  readonly memory: WebAssembly.Memory
  /** Which blocks were written to, by a byte for each; undefined when nobody notes it. See WRITTEN. */
  readonly written: WebAssembly.Memory | undefined
}

export class Cores {
  readonly memories: CoreMemory[] = []
  readonly tables: WebAssembly.Table[] = []
  readonly globals: WebAssembly.Global[] = []
  #written: WebAssembly.Memory | undefined

  /** What glue calls in place of WebAssembly.instantiate. */
  readonly instantiate = (module: WebAssembly.Module, imports: ImportObject = {}): WebAssembly.Instance => {
    const instance = new WebAssembly.Instance(module, {
      ...imports,
      [WRITTEN.module]: { [WRITTEN.name]: this.#written },
    })
    const { [WRITTEN.name]: written, ...others } = instance.exports
    if (written instanceof WebAssembly.Memory) this.#written = written
    for (const value of Object.values(others)) this.#keep(value, written)
    return instance
  }

  get memoryBytes(): number {
    return this.memories.reduce((sum, { memory }) => sum + memory.buffer.byteLength, 0)
  }

  #keep(value: unknown, map: unknown): void {
    if (value instanceof WebAssembly.Memory) {
      this.memories.push({ memory: value, written: map instanceof WebAssembly.Memory ? map : undefined })
    } else if (value instanceof WebAssembly.Table) this.tables.push(value)
    else if (value instanceof WebAssembly.Global && isMutable(value)) this.globals.push(value)
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
