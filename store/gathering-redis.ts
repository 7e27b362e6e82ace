// A connection that sends the commands of one turn of the event loop in one write. With many calls at once, a system
// call per command is most of what a command costs, here and in Redis. Waits no longer than until the turn is over.
import { Redis } from 'ioredis'

export class GatheringRedis extends Redis {
  #corked: Redis['stream'] | undefined

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    this.#gather()
    return super.sendCommand(...args)
  }

  #gather(): void {
    const { stream } = this
    // Undefined before the first connection; another one after a reconnect.
    if (stream === undefined || stream === this.#corked) return
    this.#corked = stream
    stream.cork()
    setImmediate(() => {
      if (this.#corked === stream) this.#corked = undefined
      stream.uncork()
    })
  }
}
