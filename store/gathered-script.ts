// Runs a script for all that is asked of it in one turn of the event loop: one call of Redis, and an answer for each.
import type { Redis } from 'ioredis'

import { Batches } from './batches.ts'
import { guard, storeError } from './connect.ts'
import { type Script, script } from './script.ts'

/** What one call does at most: Redis serves nobody else meanwhile. */
const MOST_RUNS = 256
const MOST_BYTES = 1024 * 1024

type Arg = string | number | Buffer

interface Shape {
  /** Of one run. */
  readonly keys: number
  readonly args: number
}

interface Runs {
  readonly keys: string[]
  readonly args: Arg[]
}

/** Replies are raw: texts are Buffers. */
export class GatheredScript {
  readonly #redis: Redis
  readonly #script: Script
  readonly #batches = new Batches<Runs, readonly unknown[]>({
    empty: () => ({ keys: [], args: [] }),
    send: (runs) => this.#call(runs),
    mostCount: MOST_RUNS,
    mostSize: MOST_BYTES,
  })

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
    const { content, done, count } = this.#batches.enter(bytes)
    content.keys.push(...keys)
    content.args.push(...args)
    return (await done.promise)[count - 1]
  }

  async #call({ keys, args }: Runs): Promise<readonly unknown[]> {
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
