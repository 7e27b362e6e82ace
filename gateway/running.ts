// The requests that run, so that a gateway can end without cutting them off.
import type { ServerResponse } from 'node:http'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'
import { type Linked, LinkedList } from '#core/linked-list'
import { type StopSignal, StopSource } from '#core/stop-signal'

/** What is cancelled gets this long to answer before its connection is closed. */
const CANCEL_GRACE_MS = 1000

/** One request from its head to the close of its response. */
export class RunningRequest implements Linked<RunningRequest> {
  before: RunningRequest | undefined
  after: RunningRequest | undefined
  readonly res: ServerResponse
  /** Cancels it; aborts when the client has gone, or when a drain has taken too long. */
  readonly stop = new StopSource()
  /** The call that it makes, when it makes one. */
  invocation: InvocationId | undefined
  /** It does not end with its client. */
  isHeld = false

  constructor(res: ServerResponse) {
    this.res = res
  }
}

export class RunningRequests {
  readonly #clock: Clock
  readonly #running = new LinkedList<RunningRequest>()
  readonly #shutdown = new AbortController()
  #draining = false
  #onIdle: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Aborts when draining begins: for what would otherwise never end by itself. */
  get shutdown(): AbortSignal {
    return this.#shutdown.signal
  }

  get draining(): boolean {
    return this.#draining
  }

  /** It runs until its response is closed. */
  begin(res: ServerResponse): RunningRequest {
    const request = new RunningRequest(res)
    this.#running.add(request)
    if (this.#draining) res.shouldKeepAlive = false
    // `on`, for once() costs two more functions, and it comes once anyway.
    res.on('close', () => this.#closed(request))
    return request
  }

  /** It runs on when its client goes, until it is released. */
  hold(request: RunningRequest): Disposable {
    request.isHeld = true
    return {
      [Symbol.dispose]: () => {
        request.isHeld = false
        if (request.res.closed) this.#ended(request)
      },
    }
  }

  /** Cancels the call with this id; false when it does not run here. */
  cancel(id: InvocationId, reason: PlatformError): boolean {
    const request = this.#running.toArray().find(({ invocation }) => invocation === id)
    request?.stop.abort(reason)
    return request !== undefined
  }

  /** Waits until nothing runs; after `limitMs` cancels what still does. Never rejects. */
  async drain(limitMs: number): Promise<void> {
    // Makes node:http say `connection: close`, so that the client does not send its next request here.
    for (const { res } of this.#running.toArray()) res.shouldKeepAlive = false
    this.#draining = true
    this.#shutdown.abort(shuttingDown())
    if (await this.#idleWithin(limitMs)) return
    for (const { stop } of this.#running.toArray()) stop.abort(shuttingDown())
    await this.#idleWithin(CANCEL_GRACE_MS)
  }

  #closed(request: RunningRequest): void {
    if (request.isHeld) return
    if (!request.res.writableFinished) request.stop.abort(clientGone())
    this.#ended(request)
  }

  #ended(request: RunningRequest): void {
    this.#running.delete(request)
    if (this.#running.size === 0) this.#onIdle?.()
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

/** For what needs a whole AbortSignal. */
export function abortSignalOf(stop: StopSignal): AbortSignal {
  const controller = new AbortController()
  const abort = (): void => controller.abort(stop.reason)
  if (stop.aborted) abort()
  else stop.addEventListener('abort', abort)
  return controller.signal
}

export function shuttingDown(): PlatformError {
  return new PlatformError('shutting-down', { detail: 'this instance is shutting down', retryAfterS: 1 })
}

/** Why a call is cancelled when its connection closes. */
export function clientGone(): PlatformError {
  return new PlatformError('cancelled', { detail: 'the client closed the connection' })
}
