// Keeps a few workers running that have no code yet, so that a sandbox is there in well under a millisecond, and has them
// practise what sandboxes do, with functions of the platform's own.
import { Worker } from 'node:worker_threads'

import { systemClock } from '#core/clock'

import type { LoadMessage, PractisedMessage, PractiseMessage } from './messages.ts'

export interface SparesOptions {
  readonly workerPath: string
  readonly count: number
  /** A practice that takes longer ends with its worker, and is not done again. */
  readonly maxPracticeMs?: number
}

/** Old and new space of a worker's JavaScript heap: the glue and the host's side of it; Wasm memory does not count. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 }
/** Between the last taking and the next start. */
const FILL_DELAY_MS = 50
/** It takes some 15 ms of a processor. */
const MAX_PRACTICE_MS = 5_000

interface Spare {
  readonly worker: Worker
  /** What it is to practise with yet. */
  readonly due: LoadMessage[]
  /** Ends the watch over its practice. */
  practising: Disposable | undefined
}

export class SpareWorkers implements AsyncDisposable {
  readonly #options: SparesOptions
  #spares: Spare[] = []
  #filling: Disposable | undefined
  #practices: readonly LoadMessage[] = []

  constructor(options: SparesOptions) {
    this.#options = options
    this.#fill()
  }

  /** Those that have practised all there is. */
  get practised(): number {
    return this.#spares.filter(({ practising }) => practising === undefined).length
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

  /** A function with which all spares practise from now on. The platform's own: one of a tenant must not come here. */
  practiseWith(practice: LoadMessage): void {
    this.#practices = [...this.#practices, practice]
    for (const spare of this.#spares) {
      spare.due.push(practice)
      if (spare.practising === undefined) this.#practise(spare)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#filling?.[Symbol.dispose]()
    const workers = this.#spares.map(({ worker }) => worker)
    for (const spare of this.#spares) this.#remove(spare)
    await Promise.all(workers.map((worker) => worker.terminate()))
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
    const spare: Spare = { worker: this.#start(), due: [...this.#practices], practising: undefined }
    const { worker } = spare
    worker.on('error', () => this.#remove(spare))
    worker.on('exit', () => this.#remove(spare))
    worker.on('message', ({ kind }: PractisedMessage) => kind === 'practised' && this.#practise(spare))
    this.#spares.push(spare)
    this.#practise(spare)
  }

  /** The next of those that are due. */
  #practise(spare: Spare): void {
    spare.practising?.[Symbol.dispose]()
    spare.practising = undefined
    const load = spare.due.shift()
    if (load === undefined) return
    spare.practising = systemClock.after(this.#options.maxPracticeMs ?? MAX_PRACTICE_MS, () => {
      this.#practices = this.#practices.filter((practice) => practice !== load)
      this.#remove(spare)
      void spare.worker.terminate()
      this.#fillLater()
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    spare.worker.postMessage({ kind: 'practise', load } satisfies PractiseMessage)
  }

  #remove(spare: Spare): void {
    spare.practising?.[Symbol.dispose]()
    spare.practising = undefined
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
