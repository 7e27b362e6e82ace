// Core modules that are WASI preview-1 commands: a new instance for each call, the request on standard input and in the
// environment, the response on standard output. Without jco: a call costs 0.03 ms instead of 0.6.
import { systemClock } from '#core/clock'

import { MAX_BODY_BYTES } from '../control.ts'
import type { Call } from '../host/call.ts'
import type { Guest, GuestContext, GuestInstance } from '../host/guest.ts'
import { endOf, failureOf } from '../host/thrown.ts'
import { GuestExit } from '../wasi/cli.ts'
import { createLineWriter } from '../wasi/lines.ts'
import { Waits } from '../wasi/waits.ts'
import { CgiResponse } from './cgi-response.ts'
import { cgiEnvironment } from './cgi.ts'
import { preview1Imports, type Process } from './imports.ts'

export class CommandGuest implements Guest {
  readonly #context: GuestContext
  readonly #module: WebAssembly.Module

  constructor(context: GuestContext) {
    const module = context.modules.get('main')
    if (module === undefined) throw new Error('the artifact of a command has the core "main"')
    this.#context = context
    this.#module = module
  }

  instantiate(): GuestInstance {
    return new CommandInstance(this.#context, this.#module)
  }
}

class CommandInstance implements GuestInstance {
  readonly #context: GuestContext
  readonly #waits = new Waits()
  readonly #instance: WebAssembly.Instance
  #process: Process = { env: {}, input: new Uint8Array(0), write() {} }

  constructor(context: GuestContext, module: WebAssembly.Module) {
    this.#context = context
    const imports = preview1Imports(module, {
      memory: () => this.#memory,
      process: () => this.#process,
      clock: systemClock,
      waits: this.#waits,
    })
    this.#instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports })
  }

  async run(call: Call): Promise<void> {
    const input = await call.body.readAll(MAX_BODY_BYTES)
    if (call.cancelled) return call.stopped()
    if (input === undefined) {
      return call.fail({ type: 'RequestTooLarge', message: `a request body has at most ${MAX_BODY_BYTES} bytes` })
    }
    const response = new CgiResponse(call)
    const stderr = createLineWriter((text) => call.log('stderr', text))
    this.#process = {
      env: cgiEnvironment(call.head, input.length, this.#context.spec.env),
      input,
      write: (fd, bytes) => (fd === 1 ? response.write(bytes) : stderr.write(bytes)),
    }
    call.onStop = () => this.#waits.abandon()
    const thrown = await this.#start()
    call.onStop = undefined
    stderr.end()
    this.#conclude(call, response, thrown)
  }

  /** A command runs once. */
  recycle(): boolean {
    return false
  }

  abandon(): void {
    this.#waits.abandon()
  }

  get #memory(): WebAssembly.Memory {
    return this.#instance.exports.memory as WebAssembly.Memory
  }

  /** @returns what was thrown, undefined when it ended well */
  async #start(): Promise<unknown> {
    try {
      await WebAssembly.promising(this.#instance.exports[this.#context.manifest.export] as () => void)()
      return undefined
    } catch (thrown) {
      return thrown instanceof GuestExit && thrown.code === 0 ? undefined : (thrown ?? new Error('unknown'))
    }
  }

  #conclude(call: Call, response: CgiResponse, thrown: unknown): void {
    if (call.cancelled) return call.stopped()
    // A command that answered and then says by its exit code that all was not well has answered.
    if (thrown === undefined || (thrown instanceof GuestExit && response.began)) {
      response.end()
      return call.done()
    }
    const memory = { bytes: this.#memory.buffer.byteLength, limitMiB: this.#context.spec.memoryMiB }
    const failure = failureOf(thrown)
    const end = endOf(thrown, failure, memory)
    if (end === undefined) call.fail(failure)
    else call.end(end)
  }
}
