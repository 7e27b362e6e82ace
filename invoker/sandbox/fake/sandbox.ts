import type { Clock } from '#core/clock'
import { sleep } from '#core/clock'
import { newSandboxId, type SandboxId } from '#core/ids'
import type { Invocation, LogLine, ResponseSink } from '#core/invocation'
import type { FunctionFailure, Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'

import type { Code, Hibernation, LoadResult, Sandbox, SandboxSpec, Termination } from '../driver.ts'
import type { FakeCall, FakeProgram } from './program.ts'
import type { FakeScript } from './script.ts'

const encoder = new TextEncoder()
const NOTHING = new Uint8Array()

export class FakeSandbox implements Sandbox {
  readonly id: SandboxId = newSandboxId('fake')
  readonly spec: SandboxSpec
  readonly ended: Promise<Termination>
  readonly pause?: () => Promise<void>
  readonly resume?: () => Promise<void>
  readonly hibernate?: () => Promise<Hibernation>
  readonly residentBytes?: () => number | undefined
  /** Paused or hibernated: then it answers nothing. */
  stopped = false
  hibernated = false
  /** How often it was told to hibernate. */
  hibernations = 0
  readonly #script: FakeScript
  readonly #clock: Clock
  readonly #programOf: (code: Code) => FakeProgram
  readonly #memory = new Map<string, number>()
  readonly #calls = new Set<PromiseWithResolvers<Outcome>>()
  readonly #onEnd: (sandbox: FakeSandbox) => void
  #program: FakeProgram | undefined
  #spinning = false
  #end!: (termination: Termination) => void
  #dead = false

  constructor(
    spec: SandboxSpec,
    script: FakeScript,
    world: { clock: Clock; programOf: (code: Code) => FakeProgram; onEnd: (sandbox: FakeSandbox) => void },
  ) {
    this.spec = spec
    this.#script = script
    this.#clock = world.clock
    this.#programOf = world.programOf
    this.#onEnd = world.onEnd
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    if (!script.rests) return
    this.pause = () => this.#pause()
    this.resume = () => this.#resume()
    this.hibernate = () => this.#hibernate()
    this.residentBytes = () => (this.hibernated ? script.residentBytes : undefined)
  }

  /** Calls under way, those included that were told to stop. */
  get running(): number {
    return this.#calls.size
  }

  async load(code: Code, signal: AbortSignal): Promise<LoadResult> {
    if (this.#script.loadMs > 0) await sleep(this.#script.loadMs, signal, this.#clock)
    if (this.#script.onLoad === 'exit') this.die({ cause: 'exited', detail: 'exit code 7' })
    if (this.#script.onLoad === 'hang' || this.stopped) await this.ended
    if (this.#dead) throw new Error('the fake sandbox ended while it loaded')
    try {
      this.#program = this.#programOf(code)
      return { loaded: true }
    } catch (thrown) {
      return { loaded: false, failure: failureOf(thrown) }
    }
  }

  async invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome> {
    if (this.stopped) throw new Error('a call was given to a fake sandbox that is stopped')
    const over = Promise.withResolvers<Outcome>()
    this.#calls.add(over)
    const stop = new AbortController()
    signal.addEventListener('abort', () => stop.abort())
    if (signal.aborted) stop.abort()
    const call = new Call(this, invocation, { sink, signal: stop.signal, memory: this.#memory, clock: this.#clock })
    void this.#perform(call).then(over.resolve)
    const outcome = await over.promise
    this.#calls.delete(over)
    if (this.#script.lateSink) this.#clock.after(1, () => sink.log(call.line('stdout', 'after the outcome')))
    if (this.#script.rejectInvoke) throw new Error('scripted to reject')
    return outcome
  }

  async responsive(timeoutMs: number): Promise<boolean> {
    if (this.#script.hangProbe) await this.ended
    const silent = (): boolean => this.#spinning || this.stopped
    if (silent() && !this.#dead) await this.#wait(timeoutMs)
    return !silent() && !this.#dead
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wait(this.#script.disposeMs)
    this.die({ cause: 'disposed' })
  }

  /** Lets it end now, as if by itself. */
  die(termination: Termination): void {
    if (this.#dead) return
    this.#dead = true
    this.#onEnd(this)
    this.#end(termination)
    if (this.#script.silentDeath) return
    for (const over of this.#calls) {
      over.resolve(
        termination.cause === 'out-of-memory'
          ? { kind: 'out-of-memory', limitMiB: this.spec.memoryMiB }
          : { kind: 'exited', detail: termination.cause === 'exited' ? termination.detail : 'disposed' },
      )
    }
  }

  spin(): Promise<never> {
    this.#spinning = true
    return new Promise(() => {})
  }

  async #pause(): Promise<void> {
    if (this.running > 0) throw new Error('a fake sandbox was paused under a call')
    const { onPause, pauseMs } = this.#script
    await this.#wait(pauseMs)
    await this.#fault(onPause)
    this.stopped = true
  }

  async #resume(): Promise<void> {
    const { onResume, resumeMs } = this.#script
    await this.#wait(resumeMs)
    await this.#fault(onResume)
    if (onResume === 'lie') return
    this.stopped = false
    this.hibernated = false
  }

  async #hibernate(): Promise<Hibernation> {
    const { onHibernate, hibernateMs, residentBytes } = this.#script
    this.hibernations += 1
    await this.#wait(hibernateMs)
    if (onHibernate === 'refuse') return { hibernated: false, reason: 'scripted to refuse' }
    await this.#fault(onHibernate === 'reject' ? 'refuse' : onHibernate)
    this.hibernated = true
    return { hibernated: true, residentBytes }
  }

  async #fault(scripted: string): Promise<void> {
    if (scripted === 'refuse') throw new Error('scripted to refuse')
    if (scripted === 'exit') this.die({ cause: 'exited', detail: 'exit code 9' })
    if (scripted === 'hang') await this.ended
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, new AbortController().signal, this.#clock)
  }

  async #perform(call: Call): Promise<Outcome> {
    if (this.#program === undefined) return { kind: 'exited', detail: 'a generic sandbox has no code' }
    try {
      await this.#program(call)
      return call.outcome
    } catch (thrown) {
      return call.outcomeOf(thrown)
    }
  }
}

interface CallWorld {
  readonly sink: ResponseSink
  readonly signal: AbortSignal
  readonly memory: Map<string, number>
  readonly clock: Clock
}

class Call implements FakeCall {
  readonly invocation: Invocation
  readonly path: string
  readonly query: URLSearchParams
  readonly signal: AbortSignal
  readonly memory: Map<string, number>
  outcome: Outcome = { kind: 'exited', detail: 'the program ended without a response' }
  readonly #sandbox: FakeSandbox
  readonly #sink: ResponseSink
  readonly #clock: Clock

  constructor(sandbox: FakeSandbox, invocation: Invocation, world: CallWorld) {
    this.#sandbox = sandbox
    this.invocation = invocation
    const url = new URL(invocation.request.target, 'http://fake')
    this.path = url.pathname
    this.query = url.searchParams
    this.signal = world.signal
    this.memory = world.memory
    this.#sink = world.sink
    this.#clock = world.clock
  }

  get env(): Readonly<Record<string, string>> {
    return this.invocation.version.spec.env
  }

  async body(): Promise<Uint8Array> {
    const { body } = this.invocation.request
    if (body instanceof Uint8Array) return body
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  respond(status: number, body?: string | Uint8Array, headers: Record<string, string> | [string, string][] = []): void {
    const list = Array.isArray(headers) ? headers : Object.entries(headers)
    this.outcome = { kind: 'responded', status }
    if (body === undefined) return this.#sink.head({ status, headers: list }, undefined)
    this.#sink.head({ status, headers: list }, typeof body === 'string' ? encoder.encode(body) : body)
    this.#sink.end()
  }

  chunk(bytes: string): void | Promise<void> {
    return this.#sink.chunk(bytes === '' ? NOTHING : encoder.encode(bytes))
  }

  end(): void {
    this.#sink.end()
  }

  log(stream: LogLine['stream'], text: string): void {
    this.#sink.log(this.line(stream, text))
  }

  line(stream: LogLine['stream'], text: string): LogLine {
    return { at: this.#clock.now(), stream, text }
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms, this.signal, this.#clock)
  }

  spin(): Promise<never> {
    return this.#sandbox.spin()
  }

  hang(): Promise<never> {
    return new Promise(() => {})
  }

  exit(code: number): Promise<never> {
    this.#sandbox.die({ cause: 'exited', detail: `exit code ${code}` })
    return this.hang()
  }

  exhaustMemory(): Promise<never> {
    this.#sandbox.die({ cause: 'out-of-memory' })
    return this.hang()
  }

  outcomeOf(thrown: unknown): Outcome {
    if (this.signal.aborted) return { kind: 'cancelled' }
    return { kind: 'failed', failure: failureOf(thrown) }
  }
}

function failureOf(thrown: unknown): FunctionFailure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const failure = { type: error.name, message: error.message }
  return error.stack === undefined ? failure : { ...failure, stack: error.stack }
}
