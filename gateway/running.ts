// The requests that run, so that a gateway can end without cutting them off.
import type { ServerResponse } from 'node:http'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'

/** What is cancelled gets this long to answer before its connection is closed. */
const CANCEL_GRACE_MS = 1000

export class RunningRequests {
  readonly #clock: Clock
  readonly #running = new Map<ServerResponse, AbortController>()
  readonly #shutdown = new AbortController()
  #onIdle: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Aborts when draining begins: for what would otherwise never end by itself. */
  get shutdown(): AbortSignal {
    return this.#shutdown.signal
  }

  get draining(): boolean {
    return this.#shutdown.signal.aborted
  }

  /** The controller cancels the request; `end` must follow. */
  begin(res: ServerResponse): AbortController {
    const controller = new AbortController()
    this.#running.set(res, controller)
    if (this.draining) res.shouldKeepAlive = false
    return controller
  }

  end(res: ServerResponse): void {
    this.#running.delete(res)
    if (this.#running.size === 0) this.#onIdle?.()
  }

  /** Waits until nothing runs; after `limitMs` cancels what still does. Never rejects. */
  async drain(limitMs: number): Promise<void> {
    // Makes node:http say `connection: close`, so that the client does not send its next request here.
    for (const res of this.#running.keys()) res.shouldKeepAlive = false
    this.#shutdown.abort(shuttingDown())
    if (await this.#idleWithin(limitMs)) return
    for (const controller of this.#running.values()) controller.abort(shuttingDown())
    await this.#idleWithin(CANCEL_GRACE_MS)
  }

  #idleWithin(ms: number): Promise<boolean> {
    if (this.#running.size === 0) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => resolve(false))
      this.#onIdle = () => {
        timer[Symbol.dispose]()
        resolve(true)
      }
    })
  }
}

export function shuttingDown(): PlatformError {
  return new PlatformError('shutting-down', { detail: 'this instance is shutting down', retryAfterS: 1 })
}
