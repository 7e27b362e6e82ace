// Accepts what comes at the same time together. One batch is under way at a time, and what comes meanwhile is the next
// one: nobody waits for company, and the busier it is, the more go at once. Most of what an invocation costs here and
// in Redis is by the batch.
import type { QueuedInvocation } from '#core/queue'

import { accept, acceptMany } from './accept.ts'
import type { AcceptDeps, Refusal } from './accept.ts'

interface Waiting {
  readonly invocation: QueuedInvocation
  readonly resolve: (refusal: Refusal | undefined) => void
}

export class AcceptGatherer {
  readonly #deps: AcceptDeps
  #waiting: Waiting[] = []
  #isSending = false

  constructor(deps: AcceptDeps) {
    this.#deps = deps
  }

  /** As accept(). */
  accept(invocation: QueuedInvocation): Promise<Refusal | undefined> {
    return new Promise((resolve) => {
      if (this.#waiting.push({ invocation, resolve }) === 1 && !this.#isSending) setImmediate(() => void this.#send())
    })
  }

  async #send(): Promise<void> {
    this.#isSending = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      const [first] = batch
      if (first !== undefined && batch.length === 1) first.resolve(await accept(this.#deps, first.invocation))
      else {
        const refusals = await acceptMany(
          this.#deps,
          batch.map(({ invocation }) => invocation),
        )
        for (const [index, { resolve }] of batch.entries()) resolve(refusals[index])
      }
    }
    this.#isSending = false
  }
}
