// Messages between processes, over the one connection that subscribes. Promises no message: what was missed is said.
import type { Redis } from 'ioredis'

export interface Subscriber {
  /** A message came. */
  message(text: string): void
  /** Messages before now may have been missed: at the start, and after each new connection. */
  gap(): void
}

export class Subscriptions {
  readonly #redis: Redis
  readonly #channels = new Map<string, Set<Subscriber>>()

  /** @param redis used for nothing else; its owner closes it */
  constructor(redis: Redis) {
    this.#redis = redis
    redis.on('message', (channel, text) => {
      for (const subscriber of this.#channels.get(channel) ?? []) subscriber.message(text)
    })
    redis.on('ready', () => void this.#subscribe([...this.#channels.keys()]))
  }

  subscribe(channel: string, subscriber: Subscriber): Disposable {
    const subscribers = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, subscribers.add(subscriber))
    void this.#subscribe([channel])
    return {
      [Symbol.dispose]: () => {
        subscribers.delete(subscriber)
        if (subscribers.size > 0 || this.#channels.get(channel) !== subscribers) return
        this.#channels.delete(channel)
        this.#redis.unsubscribe(channel).catch(() => {})
      },
    }
  }

  async #subscribe(channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return
    try {
      await this.#redis.subscribe(...channels)
    } catch {
      // Redis is away. When it is back, 'ready' comes here again with every channel.
      return
    }
    for (const channel of channels) for (const subscriber of this.#channels.get(channel) ?? []) subscriber.gap()
  }
}
