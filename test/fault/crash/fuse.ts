// Kills its own process, as by kill -9, at a chosen call of the store: what a kill from outside meets by luck only.
import type { Store } from '#store/open'

import type { Fuse } from './world.ts'

export class ArmedFuse {
  #fuse: Fuse | undefined
  #left = 0

  arm(fuse: Fuse): void {
    this.#fuse = fuse
    this.#left = fuse.count
  }

  /** Makes the call, and ends the process with it when it is the one. */
  around(step: string, call: () => unknown): unknown {
    const side = this.#sideOf(step)
    if (side === 'before') die()
    const result = call()
    if (!(result instanceof Promise)) return result
    return result.then((value: unknown) => {
      if (side === 'after') die()
      return isClaim(value) ? fused(value, 'claim', this) : value
    })
  }

  #sideOf(step: string): Fuse['side'] | undefined {
    if (step !== this.#fuse?.step) return undefined
    this.#left -= 1
    return this.#left === 0 ? this.#fuse.side : undefined
  }
}

/** The store with a fuse in all that makes something durable. */
export function fusedStore(store: Store, fuse: ArmedFuse): Store {
  const { records, lanes, deadLetters, idempotency, queues } = store
  return {
    ...store,
    records: fused(records, 'records', fuse),
    lanes: fused(lanes, 'lanes', fuse),
    deadLetters: fused(deadLetters, 'deadLetters', fuse),
    idempotency: fused(idempotency, 'idempotency', fuse),
    queues: fused(queues, 'queues', fuse),
  }
}

function fused<T extends object>(part: T, name: string, fuse: ArmedFuse): T {
  return new Proxy(part, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      const method = value as (...args: unknown[]) => unknown
      return (...args: unknown[]) => fuse.around(`${name}.${String(property)}`, () => method.apply(target, args))
    },
  })
}

function isClaim(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'takeovers' in value
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('a process outlived its SIGKILL')
}
