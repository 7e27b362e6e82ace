// Keeps a few workers running that have no code yet, so that a sandbox is there in well under a millisecond, and has them
// practise what sandboxes do.
import { Worker } from 'node:worker_threads'

import { systemClock } from '#core/clock'

import type { PractisedMessage, PractiseMessage } from './messages.ts'

export interface SparesOptions {
  readonly workerPath: string
  readonly count: number
}

/** Old and new space of a worker's JavaScript heap: the glue and the host's side of it; Wasm memory does not count. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 }
/** Between the last taking and the next start. */
const FILL_DELAY_MS = 50
/** It takes some 15 ms. */
const MAX_PRACTICE_MS = 1_000

interface Spare {
  readonly worker: Worker
  /** Ends the watch over its practice. */
  practising: Disposable | undefined
}

export class SpareWorkers {
  readonly #options: SparesOptions
  #spares: Spare[] = []
  #filling: Disposable | undefined
  #practice: PractiseMessage | undefined

  constructor(options: SparesOptions) {
    this.#options = options
    this.#fill()
  }

  /** A worker that is the caller's from now on; another takes its place among the spares. */
  take(): Worker {
    const spare = this.#spares.find(({ practising }) => practising === undefined) ?? this.#spares[0]
    if (spare !== undefined) this.#remove(spare)
    const worker = spare?.worker ?? this.#start()
    // By name: all of them would be node's own too, and messages no longer arrive.
    for (const event of ['error', 'exit', 'message']) worker.removeAllListeners(event)
    this.#fillLater()
    return worker
  }

  /** A js function with which the next spares practise: one that has been loaded. */
  practiseWith(practice: PractiseMessage): void {
    const known = this.#practice?.modules.get('engine') === practice.modules.get('engine')
    this.#practice = practice
    if (!known) for (const spare of this.#spares) this.#practise(spare)
  }

  /** Starting a worker takes some 10 ms of a processor, which whoever took one needs now. */
  #fillLater(): void {
    this.#filling?.[Symbol.dispose]()
    this.#filling = systemClock.after(FILL_DELAY_MS, () => this.#fill())
  }

  #fill(): void {
    while (this.#spares.length < this.#options.count) this.#add()
  }

  #add(): void {
    const spare: Spare = { worker: this.#start(), practising: undefined }
    const { worker } = spare
    worker.on('error', () => this.#remove(spare))
    worker.on('exit', () => this.#remove(spare))
    worker.on('message', ({ kind }: PractisedMessage) => kind === 'practised' && this.#practised(spare))
    this.#spares.push(spare)
    this.#practise(spare)
  }

  #practise(spare: Spare): void {
    const practice = this.#practice
    if (practice === undefined || spare.practising !== undefined) return
    // Nothing of the function should run. If it does all the same, it does not run for long, nor again.
    spare.practising = systemClock.after(MAX_PRACTICE_MS, () => {
      if (this.#practice === practice) this.#practice = undefined
      void spare.worker.terminate()
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    spare.worker.postMessage(practice)
  }

  #practised(spare: Spare): void {
    spare.practising?.[Symbol.dispose]()
    spare.practising = undefined
  }

  #remove(spare: Spare): void {
    this.#practised(spare)
    this.#spares = this.#spares.filter((other) => other !== spare)
  }

  #start(): Worker {
    // No execArgv: given as [], the worker would run without the permissions' limits.
    const worker = new Worker(this.#options.workerPath, {
      env: {},
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: HEAP_LIMITS,
    })
    // What glue and node print is not the function's output: read, so that it does not pile up, and dropped.
    worker.stdout.resume()
    worker.stderr.resume()
    return worker
  }
}
