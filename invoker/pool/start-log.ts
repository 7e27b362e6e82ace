import type { Start, StartKind } from '#core/invocation'
import type { FunctionActivity } from '#core/invoker'

type LoggedStart = FunctionActivity['lastStarts'][number]

const KEPT = 10

/** How the calls of a function found their sandboxes. Written at every call: it makes nothing new once it is full. */
export class StartLog {
  readonly #counts: Record<StartKind, number> = { cold: 0, specialized: 0, warm: 0 }
  readonly #ring: { -readonly [K in keyof LoggedStart]: LoggedStart[K] }[] = []
  #next = 0

  add({ kind, startMs }: Start, at: number): void {
    this.#counts[kind] += 1
    const oldest = this.#ring[this.#next]
    if (oldest === undefined) this.#ring.push({ at, kind, startMs })
    else {
      oldest.at = at
      oldest.kind = kind
      oldest.startMs = startMs
    }
    this.#next = (this.#next + 1) % KEPT
  }

  get counts(): FunctionActivity['starts'] {
    return { ...this.#counts }
  }

  /** The newest last. */
  get last(): FunctionActivity['lastStarts'] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)].map((start) => ({ ...start }))
  }
}
