// The core instances of one component instance: everything of its state that lies in Wasm, and a count of the handles
// that it holds in the glue's tables.

type ImportObject = Record<string, Record<string, unknown>>

/** The glue's functions that make or give back a handle. A future is made by the host's function that returns it. */
const OPENS = /^\[waitable-set-new\]/
const CLOSES = /^\[(?:waitable-set-drop|future-drop-readable-\d+)\]/

export class Cores {
  readonly memories: WebAssembly.Memory[] = []
  readonly tables: WebAssembly.Table[] = []
  readonly globals: WebAssembly.Global[] = []
  /** Handles that the guest has and the glue knows. */
  handles = 0

  /** What the glue calls in place of WebAssembly.instantiate. */
  readonly instantiate = (module: WebAssembly.Module, imports: ImportObject = {}): WebAssembly.Instance => {
    for (const group of Object.values(imports)) this.#countHandles(group)
    const instance = new WebAssembly.Instance(module, imports)
    for (const value of Object.values(instance.exports)) this.#keep(value)
    return instance
  }

  get memoryBytes(): number {
    return this.memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0)
  }

  #keep(value: unknown): void {
    if (value instanceof WebAssembly.Memory) this.memories.push(value)
    else if (value instanceof WebAssembly.Table) this.tables.push(value)
    else if (value instanceof WebAssembly.Global && isMutable(value)) this.globals.push(value)
  }

  #countHandles(group: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(group)) {
      if (typeof value !== 'function') continue
      const change = OPENS.test(name) ? 1 : CLOSES.test(name) ? -1 : 0
      if (change === 0) continue
      const counted = (...args: unknown[]): unknown => {
        this.handles += change
        return value(...args)
      }
      // The glue marks functions with properties that it reads later.
      group[name] = Object.assign(counted, value)
    }
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
