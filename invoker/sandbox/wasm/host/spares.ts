// Keeps a few workers running that have no code yet, so that a sandbox is there in well under a millisecond.
import { Worker } from 'node:worker_threads'

export interface SparesOptions {
  readonly workerPath: string
  readonly count: number
}

/** Old and new space of a worker's JavaScript heap: the glue and the host's side of it; Wasm memory does not count. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 }

export class SpareWorkers {
  readonly #options: SparesOptions
  readonly #spares: Worker[] = []

  constructor(options: SparesOptions) {
    this.#options = options
    this.#fill()
  }

  /** A worker that is the caller's from now on; another takes its place among the spares. */
  take(): Worker {
    const worker = this.#spares.shift() ?? this.#start()
    worker.removeAllListeners()
    setImmediate(() => this.#fill())
    return worker
  }

  #fill(): void {
    while (this.#spares.length < this.#options.count) this.#spares.push(this.#start())
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
    worker.on('error', () => this.#lose(worker))
    worker.on('exit', () => this.#lose(worker))
    return worker
  }

  #lose(worker: Worker): void {
    const index = this.#spares.indexOf(worker)
    if (index !== -1) this.#spares.splice(index, 1)
  }
}
