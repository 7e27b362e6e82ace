// Runs a script for all that is asked of it in one turn of the event loop: one call of Redis, and an answer for each.
import type { Redis } from 'ioredis'

import { guard, storeError } from './connect.ts'
import { type Script, script } from './script.ts'
import { atEndOfTurn } from './turn.ts'

/** What one call does at most: Redis serves nobody else meanwhile. */
const MOST_RUNS = 256
const MOST_BYTES = 1024 * 1024

type Arg = string | number | Buffer

interface Shape {
  /** Of one run. */
  readonly keys: number
  readonly args: number
}

interface Batch {
  readonly keys: string[]
  readonly args: Arg[]
  readonly done: PromiseWithResolvers<readonly unknown[]>
  runs: number
  bytes: number
}

/** Replies are raw: texts are Buffers. */
export class GatheredScript {
  readonly #redis: Redis
  readonly #script: Script
  /** To be sent at the end of this turn; the last may still grow. */
  #batches: Batch[] = []

  /** @param lua of one run, with KEYS and ARGV of its own; must return something */
  constructor(redis: Redis, lua: string, { keys, args }: Shape) {
    this.#redis = redis
    this.#script = script(`
      local function run(KEYS, ARGV) ${lua} end
      local replies = {}
      for n = 0, #KEYS / ${keys} - 1 do
        replies[n + 1] = run({unpack(KEYS, n * ${keys} + 1, (n + 1) * ${keys})}, {unpack(ARGV, n * ${args} + 1, (n + 1) * ${args})})
      end
      return replies`)
  }

  /** @throws PlatformError as `guard` */
  async run(keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
    const bytes = args.reduce<number>((sum, arg) => sum + (typeof arg === 'number' ? 8 : arg.length), 0)
    const batch = this.#batchFor(bytes)
    const position = batch.runs++
    batch.bytes += bytes
    batch.keys.push(...keys)
    batch.args.push(...args)
    return (await batch.done.promise)[position]
  }

  #batchFor(bytes: number): Batch {
    const last = this.#batches.at(-1)
    if (last !== undefined && last.runs < MOST_RUNS && last.bytes + bytes <= MOST_BYTES) return last
    const batch: Batch = { keys: [], args: [], done: Promise.withResolvers(), runs: 0, bytes: 0 }
    if (this.#batches.push(batch) === 1) atEndOfTurn(() => this.#send())
    return batch
  }

  #send(): void {
    const batches = this.#batches
    this.#batches = []
    for (const batch of batches) this.#call(batch).then(batch.done.resolve, batch.done.reject)
  }

  async #call({ keys, args }: Batch): Promise<readonly unknown[]> {
    const { lua, digest } = this.#script
    try {
      return (await this.#redis.callBuffer('EVALSHA', digest, keys.length, ...keys, ...args)) as readonly unknown[]
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw storeError(error)
      const reply = this.#redis.callBuffer('EVAL', lua, keys.length, ...keys, ...args)
      return guard(reply) as Promise<readonly unknown[]>
    }
  }
}
