// The part of the WebAssembly interface that this folder uses. It is not in TypeScript's `esnext`, and its `dom`
// would let code use what only browsers have.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
    static exports(module: Module): { name: string; kind: string }[]
    static imports(module: Module): { module: string; name: string; kind: string }[]
  }
  class Instance {
    constructor(module: Module, imports?: object)
    readonly exports: Record<string, unknown>
  }
  class Memory {
    constructor(limits: { initial: number; maximum?: number })
    grow(pages: number): number
    readonly buffer: ArrayBuffer
  }
  class Table {
    readonly length: number
  }
  class Global {
    value: unknown
  }
  class RuntimeError extends Error {}
  /** JavaScript Promise Integration: a function that suspends the guest which calls it until its promise settles. */
  const Suspending: new (call: (...args: never[]) => unknown) => object
  /** An exported function whose guest may be suspended. */
  function promising<P extends unknown[]>(exported: (...values: P) => unknown): (...values: P) => Promise<void>
  function compile(bytes: Uint8Array): Promise<Module>
  function validate(bytes: Uint8Array): boolean
}
