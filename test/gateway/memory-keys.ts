// Dead letters and idempotency keys in memory, true to their contracts.
import type { DeadLetter, DeadLetterPage, DeadLetters } from '#core/dead-letter'
import type { PlatformError } from '#core/errors'
import type { Begun, IdempotencyStore, StoredResponse } from '#core/idempotency'
import type { Digest, FunctionName, InvocationId } from '#core/ids'

export class MemoryDeadLetters implements DeadLetters {
  readonly letters = new Map<InvocationId, DeadLetter>()

  async add(letter: DeadLetter): Promise<void> {
    this.letters.set(letter.invocation.id, letter)
  }

  async list(
    name: FunctionName,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string },
  ): Promise<DeadLetterPage> {
    const all = this.#of(name).toReversed()
    const from = cursor === undefined ? 0 : all.findIndex(({ invocation }) => invocation.id < cursor)
    const letters = from < 0 ? [] : all.slice(from, from + limit)
    const last = letters.at(-1)?.invocation.id
    return { letters, ...(last !== undefined && last !== all.at(-1)?.invocation.id ? { next: last } : {}) }
  }

  async get(name: FunctionName, id: InvocationId): Promise<DeadLetter | undefined> {
    return this.#of(name).find(({ invocation }) => invocation.id === id)
  }

  async remove(name: FunctionName, id: InvocationId): Promise<boolean> {
    return (await this.get(name, id)) !== undefined && this.letters.delete(id)
  }

  async purge(name: FunctionName): Promise<number> {
    const all = this.#of(name)
    for (const { invocation } of all) this.letters.delete(invocation.id)
    return all.length
  }

  async count(name: FunctionName): Promise<number> {
    return this.#of(name).length
  }

  async counts(): Promise<ReadonlyMap<FunctionName, number>> {
    const groups = Map.groupBy(this.letters.values(), ({ invocation }) => invocation.function)
    return new Map([...groups].map(([name, letters]) => [name, letters.length]))
  }

  /** Oldest first. */
  #of(name: FunctionName): DeadLetter[] {
    return [...this.letters.values()]
      .filter(({ invocation }) => invocation.function === name)
      .toSorted((a, b) => (a.invocation.id < b.invocation.id ? -1 : 1))
  }
}

type Key = Parameters<IdempotencyStore['begin']>[0]

interface HeldKey {
  readonly fingerprint: Digest
  invocation: InvocationId
  /** Undefined while it is under way. */
  response: StoredResponse | undefined
  free: boolean
  readonly waiting: Set<() => void>
}

export class MemoryIdempotency implements IdempotencyStore {
  readonly keys = new Map<string, HeldKey>()
  /** What all methods fail with. */
  down: PlatformError | undefined

  async begin(key: Key, fingerprint: Digest, invocation: InvocationId): Promise<Begun> {
    if (this.down !== undefined) throw this.down
    const held = this.keys.get(nameOf(key))
    if (held === undefined) {
      this.keys.set(nameOf(key), { fingerprint, invocation, response: undefined, free: false, waiting: new Set() })
      return { kind: 'first' }
    }
    if (held.fingerprint !== fingerprint) return { kind: 'mismatch', invocation: held.invocation }
    if (held.response !== undefined) return { kind: 'done', invocation: held.invocation, response: held.response }
    if (!held.free) return { kind: 'running', invocation: held.invocation }
    held.free = false
    return { kind: 'first', before: held.invocation }
  }

  async beginMany(items: Parameters<IdempotencyStore['beginMany']>[0]): Promise<readonly Begun[]> {
    const begun: Begun[] = []
    for (const { key, fingerprint, invocation } of items) begun.push(await this.begin(key, fingerprint, invocation))
    return begun
  }

  async finish(key: Key, response: StoredResponse): Promise<void> {
    if (this.down !== undefined) throw this.down
    this.#settle(key, (held) => (held.response = response))
  }

  async abandon(key: Key): Promise<boolean> {
    if (this.down !== undefined) throw this.down
    this.#settle(key, () => this.keys.delete(nameOf(key)))
    return true
  }

  async doubt(key: Key): Promise<void> {
    if (this.down !== undefined) throw this.down
    this.#settle(key, (held) => (held.free = true))
  }

  async settled(key: Key, fingerprint: Digest, invocation: InvocationId, signal: AbortSignal): Promise<Begun> {
    for (;;) {
      signal.throwIfAborted()
      const begun = await this.begin(key, fingerprint, invocation)
      if (begun.kind !== 'running') return begun
      const { promise, resolve } = Promise.withResolvers<void>()
      this.keys.get(nameOf(key))?.waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
    }
  }

  #settle(key: Key, change: (held: HeldKey) => void): void {
    const held = this.keys.get(nameOf(key))
    if (held === undefined) return
    change(held)
    for (const resolve of held.waiting) resolve()
  }
}

function nameOf({ scope, key }: Key): string {
  return `${scope} ${key}`
}
