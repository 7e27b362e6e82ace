// What a source on a broker does with a message: hand it over, then acknowledge it or give it back. Knows no broker.
import { sleep, type Clock } from '#core/clock'

import type { ReceivedEvent, SourceContext } from './source.ts'

/** Longest that a broker is given to hear the last acknowledgements; what it did not hear it delivers again. */
const GOODBYE_MS = 3000

export interface Settlement {
  /** It is durable: the broker may forget it. */
  acknowledge(): void | Promise<void>
  /** The trigger stops: the broker is to keep it. Left out where leaving it unacknowledged says that. */
  giveBack?(): void
}

/** The messages that were handed over and are not settled. */
export class Settling {
  readonly #context: Pick<SourceContext, 'accept' | 'signal'>
  readonly #pending = new Set<Promise<void>>()

  constructor(context: Pick<SourceContext, 'accept' | 'signal'>) {
    this.#context = context
  }

  /** How many there are. */
  get count(): number {
    return this.#pending.size
  }

  /** In the order of the calls. A settlement that fails is one that the broker did not hear of. */
  handOver(received: ReceivedEvent, settlement: Settlement): void {
    const pending = this.#settle(received, settlement).finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  /**
   * When the trigger stops all are settled soon, and the broker is to hear of it. When the source was lost instead nobody
   * would, and those that find no room may take for ever.
   */
  async whenStopped(): Promise<void> {
    if (this.#context.signal.aborted) await Promise.all(this.#pending)
  }

  async #settle(received: ReceivedEvent, settlement: Settlement): Promise<void> {
    try {
      await this.#context.accept(received).then(
        () => settlement.acknowledge(),
        () => settlement.giveBack?.(),
      )
    } catch {
      // The connection is gone: the broker delivers it again.
    }
  }
}

/** Waits until a connection is closed with all that was written, but not for ever: its other end may be gone. */
export async function goodbye(closing: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController()
  await Promise.race([closing.catch(() => {}), sleep(GOODBYE_MS, over.signal, clock).catch(() => {})])
  over.abort(new Error('closed'))
}
