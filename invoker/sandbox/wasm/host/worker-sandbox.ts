// The main thread's end of one sandbox: a worker, and the frames to and from it.
import type { Worker } from 'node:worker_threads'

import { type Frame, FrameType, splitHead } from '#core/frames'

import type { Termination } from '../../driver.ts'
import { FrameSocket } from '../../frame-socket.ts'
import type { WasmLoadHead } from '../control.ts'
import type { GlueCodeMessage, PractisedMessage, ToWorker } from './messages.ts'
import type { ModuleCache } from './modules.ts'
import { PortStream } from './port-stream.ts'

export interface WorkerSandboxOptions {
  readonly channel: number
  /** Generic; owned from now on. */
  readonly worker: Worker
  readonly modules: ModuleCache
  readonly onFrame: (frame: Frame) => void
  /** Once, unless `terminate` was called before. */
  readonly onEnd: (termination: Termination) => void
}

export class WorkerSandbox {
  readonly #options: WorkerSandboxOptions
  readonly #socket: FrameSocket
  #onGlueCode: ((code: Uint8Array) => void) | undefined
  #over = false

  constructor(options: WorkerSandboxOptions) {
    this.#options = options
    const { worker, channel } = options
    const stream = new PortStream(worker)
    this.#socket = new FrameSocket(stream, {
      // A worker may be anything once its glue has gone astray: it speaks for its own channel only.
      onFrame: (frame) => {
        // From then on calls run in it, and what it says about its glue is not to be believed.
        if (frame.type === FrameType.loaded) this.#onGlueCode = undefined
        if (frame.channel === channel) options.onFrame(frame)
        else this.#end({ cause: 'exited', detail: 'the sandbox spoke on a channel of another' })
      },
      onClose: (error) => error !== undefined && this.#end({ cause: 'exited', detail: error.message }),
    })
    worker.on('message', (message: ArrayBuffer | GlueCodeMessage | PractisedMessage) => {
      if (message instanceof ArrayBuffer) return stream.receive(message)
      // It was taken while it practised.
      if (message.kind === 'practised') return
      this.#onGlueCode?.(message.code)
      this.#onGlueCode = undefined
    })
    worker.on('error', (error) => this.#end(terminationOf(error)))
    worker.on('exit', (code) => this.#end({ cause: 'exited', detail: `exit code ${code}` }))
    this.#post({ kind: 'assign', channel })
  }

  receive(frame: Frame): void {
    if (this.#over) return
    if (frame.type === FrameType.load) void this.#load(splitHead(frame.payload).head as WasmLoadHead)
    else this.#socket.send(frame, frame.payload)
  }

  /** Ends it at once, also when it spins. Idempotent. */
  terminate(): void {
    this.#over = true
    this.#socket.close()
    void this.#options.worker.terminate()
  }

  async #load({ spec, files }: WasmLoadHead): Promise<void> {
    try {
      const { keepGlueCode, ...loaded } = await this.#options.modules.load(files)
      if (loaded.glueCode === undefined) this.#onGlueCode = keepGlueCode
      this.#post({ kind: 'load', spec, ...loaded })
    } catch (error) {
      this.#post({ kind: 'load-failed', message: (error as Error).message })
    }
  }

  #post(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    if (!this.#over) this.#options.worker.postMessage(message)
  }

  #end(termination: Termination): void {
    if (this.#over) return
    this.terminate()
    this.#options.onEnd(termination)
  }
}

function terminationOf(error: unknown): Termination {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return { cause: 'out-of-memory' }
  return { cause: 'exited', detail: message ?? String(error) }
}
