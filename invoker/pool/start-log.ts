import type { Start, StartKind } from '#core/invocation'
import type { FunctionActivity } from '#core/invoker'

const KEPT = 10

/** How the calls of a function found their sandboxes. */
export class StartLog {
  readonly #counts: Record<StartKind, number> = { cold: 0, specialized: 0, warm: 0 }
  readonly #last: FunctionActivity['lastStarts'][number][] = []

  add({ kind, startMs }: Start, at: number): void {
    this.#counts[kind] += 1
    this.#last.push({ at, kind, startMs })
    if (this.#last.length > KEPT) this.#last.shift()
  }

  get counts(): FunctionActivity['starts'] {
    return { ...this.#counts }
  }

  /** The newest last. */
  get last(): FunctionActivity['lastStarts'] {
    return [...this.#last]
  }
}
