// Queues of the user's in the same Redis, for BullMQ workers of theirs. Puts jobs in; takes none out.
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'

import type { JobQueues } from '#core/destination'

import { storeError } from './connect.ts'

/** Open at a time; the one that was opened first is closed for another. */
const MAX_OPEN = 100

/** All share one connection, which stays with its owner. Under BullMQ's default prefix, `bull`, where workers look. */
export class RedisJobQueues implements JobQueues, AsyncDisposable {
  readonly #redis: Redis
  readonly #open = new Map<string, Queue>()

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async add(name: string, { id, name: jobName, data }: { id: string; name: string; data: unknown }): Promise<void> {
    const queue = this.#opened(name)
    try {
      await queue.add(jobName, data, { jobId: id })
    } catch (error) {
      // One that was opened while Redis was away never works again: it waits for the same failed start each time.
      if (this.#open.get(name) === queue) this.#open.delete(name)
      close(queue)
      throw storeError(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((queue) => queue.close()))
    this.#open.clear()
  }

  #opened(name: string): Queue {
    const known = this.#open.get(name)
    if (known !== undefined) return known
    const [oldest] = this.#open
    if (oldest !== undefined && this.#open.size >= MAX_OPEN) {
      this.#open.delete(oldest[0])
      close(oldest[1])
    }
    const queue = new Queue(name, { connection: this.#redis, skipMetasUpdate: true })
    // It repeats the errors of the connection, and without a listener the repetition would end the process.
    queue.on('error', () => {})
    this.#open.set(name, queue)
    return queue
  }
}

/** The connection stays; what fails with it, as when Redis is away, holds nothing. */
function close(queue: Queue): void {
  queue.close().catch(() => {})
}
