// Serves the lanes: takes queued invocations when there is room for them, fairly, and has them run. START HERE for
// what happens after the 202; how a lane keeps what waits in it is store/.
//
// lane-server.ts takes from lanes, in the order of fair-share.ts; calls.ts and deliveries.ts say what is done with what
// was taken; run.ts is one attempt and settle.ts its end.
import { deliveriesOf } from '#core/ids'
import type { FunctionStore } from '#core/function-store'
import type { Lanes } from '#core/queue'

import type { Dispatcher } from '#invoker/dispatcher'
import { type CallLane, Calls, type CallsOptions } from './calls.ts'
import { Deliveries, type DeliveriesOptions } from './deliveries.ts'
import { LaneServer, type OpenLane } from './lane-server.ts'

export interface ConsumerOptions extends CallsOptions, Pick<DeliveriesOptions, 'onDelivery'> {
  readonly lanes: Pick<Lanes, 'add' | 'limit' | 'take' | 'listen'>
  readonly functions: Pick<FunctionStore, 'get' | 'version' | 'onChange'>
  readonly invoker: Pick<Dispatcher, 'invoke' | 'room' | 'onRoom'>
  /** Undefined: deliveries wait in their lanes for a process that has some. */
  readonly destinations: DeliveriesOptions['destinations'] | undefined
  /**
   * Most invocations that run at the same time. One of sixteen, and always one, is kept for functions of which none
   * runs, so that long calls of one must not keep another from being served.
   */
  readonly maxRunning: number
  /** How long what runs may finish after disposal began; the rest goes back into its lane. */
  readonly drainMs: number
}

/** They wait for others most of the time, and take no room of sandboxes. */
const MAX_DELIVERING = 16

export class Consumer implements AsyncDisposable {
  readonly #drainMs: number
  readonly #calls: LaneServer<CallLane>
  readonly #deliveries: LaneServer<OpenLane> | undefined
  readonly #subscriptions = new DisposableStack()
  readonly #listener: AsyncDisposable
  #closed: Promise<unknown> | undefined

  /** Serves from now on. */
  constructor(options: ConsumerOptions) {
    const { lanes, clock, log, functions, invoker, destinations, maxRunning } = options
    this.#drainMs = options.drainMs
    const calls = new Calls(options)
    this.#calls = new LaneServer({ lanes, clock, log, service: calls, slots: maxRunning })
    if (destinations !== undefined) {
      const service = new Deliveries({ ...options, destinations })
      this.#deliveries = new LaneServer({ lanes, clock, log, service, slots: MAX_DELIVERING })
    }
    const forget = (lane: CallLane): void => calls.forget(lane)
    this.#subscriptions.use(functions.onChange((name) => this.#calls.refresh(name, forget)))
    this.#subscriptions.use(invoker.onRoom(() => this.#calls.roomChanged()))
    this.#listener = lanes.listen((name) => {
      if (deliveriesOf(name) === undefined) this.#calls.rung(name)
      else this.#deliveries?.rung(name)
    })
  }

  /** Takes no more, lets what runs finish for `drainMs`, and puts the rest back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close(): Promise<void> {
    this.#subscriptions.dispose()
    const closing = Promise.all([this.#calls.close(this.#drainMs), this.#deliveries?.close(this.#drainMs)])
    await this.#listener[Symbol.asyncDispose]()
    await closing
  }
}
