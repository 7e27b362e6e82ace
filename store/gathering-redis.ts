// A connection that sends the commands of one turn of the event loop in one write. With many calls at once, a system
// call per command is most of what a command costs, here and in Redis. Waits no longer than until the turn is over.
import { type Command, Redis } from 'ioredis'

import { atEndOfTurn } from './turn.ts'

/** Of a command that has its answer. */
const NO_ARGS: Command['args'] = []

export class GatheringRedis extends Redis {
  #corked: Redis['stream'] | undefined

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    this.#gather()
    forgetArgs(args[0])
    return super.sendCommand(...args)
  }

  #gather(): void {
    const { stream } = this
    // Undefined before the first connection; another one after a reconnect.
    if (stream === undefined || stream === this.#corked) return
    this.#corked = stream
    stream.cork()
    atEndOfTurn(() => {
      if (this.#corked === stream) this.#corked = undefined
      stream.uncork()
    })
  }
}

/**
 * V8 puts commands straight into the old generation once it has seen some of them live for long. There they stay, with
 * all that they were called with, until the next full collection; the scavenges before it copy more and more. A third
 * of the time of a queued call went there.
 */
function forgetArgs(command: Command): void {
  const { resolve } = command
  command.resolve = (reply) => {
    const promise = resolve(reply)
    command.args = NO_ARGS
    return promise
  }
}
