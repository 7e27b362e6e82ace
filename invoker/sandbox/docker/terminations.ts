// How containers came to their ends, from the daemon's stream of events: one connection for all of them.
import type { Readable } from 'node:stream'

import type Docker from 'dockerode'

import type { Clock } from '#core/clock'
import { within } from '#invoker/within'

import type { Termination } from '../driver.ts'
import { LABELS } from './labels.ts'

/** The event comes 20 to 40 ms after the socket has closed. */
const EVENT_WAIT_MS = 100
const RECONNECT_MS = 200
const KILLED = 137
/** abort() of a process with number 1, which cannot take SIGABRT, and of any other. */
const ABORTED = [139, 134]
const HEAP_MESSAGE = /heap out of memory|Reached heap limit|Zone Allocation failed|Fatal process out of memory/i

interface DockerEvent {
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
}

interface End {
  readonly exitCode: number
  readonly outOfMemory: boolean
}

interface Watched {
  /** A process in it was killed for memory, perhaps only a child. */
  oom: boolean
  readonly died: PromiseWithResolvers<number>
}

export class Terminations implements Disposable {
  readonly #docker: Docker
  readonly #process: string
  readonly #clock: Clock
  readonly #watched = new Map<string, Watched>()
  #stream: Readable | undefined
  #closed = false

  /** @param process the value of the process label of our containers */
  constructor(docker: Docker, process: string, clock: Clock) {
    this.#docker = docker
    this.#process = process
    this.#clock = clock
  }

  /** Starts to listen. Not needed for an answer, only for a quick one. */
  async open(): Promise<void> {
    const label = [`${LABELS.process}=${this.#process}`]
    const events = await this.#docker.getEvents({ filters: { type: ['container'], event: ['oom', 'die'], label } })
    const stream = events as Readable
    if (this.#closed) return void stream.destroy()
    this.#stream = stream
    let rest = ''
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') this.#onEvent(JSON.parse(line) as DockerEvent)
    })
    stream.once('error', () => {})
    stream.once('close', () => this.#reopen())
  }

  watch(containerId: string): void {
    this.#watched.set(containerId, { oom: false, died: Promise.withResolvers() })
  }

  forget(containerId: string): void {
    this.#watched.delete(containerId)
  }

  /** Its exit code, once the daemon tells. */
  died(containerId: string): Promise<number> {
    return this.#watched.get(containerId)?.died.promise ?? new Promise(() => {})
  }

  /**
   * Why a container that no longer answers has ended; it need not be dead yet.
   * @param lastWords what it wrote to its standard error
   */
  async classify(containerId: string, lastWords: () => string): Promise<Termination> {
    const end = (await this.#fromEvents(containerId)) ?? (await this.#fromInspection(containerId))
    if (end === undefined) return { cause: 'exited', detail: 'its connection was lost' }
    if (end.exitCode === KILLED && end.outOfMemory) return { cause: 'out-of-memory' }
    if (ABORTED.includes(end.exitCode) && HEAP_MESSAGE.test(lastWords())) return { cause: 'out-of-memory' }
    return { cause: 'exited', detail: describeExit(end.exitCode) }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#stream?.destroy()
  }

  async #fromEvents(containerId: string): Promise<End | undefined> {
    const watched = this.#watched.get(containerId)
    if (watched === undefined) return undefined
    const exitCode = await within(watched.died.promise, EVENT_WAIT_MS, this.#clock)
    return exitCode === undefined ? undefined : { exitCode, outOfMemory: watched.oom }
  }

  async #fromInspection(containerId: string): Promise<End | undefined> {
    try {
      const { State: state } = await this.#docker.getContainer(containerId).inspect()
      const oom = this.#watched.get(containerId)?.oom === true
      return state.Running ? undefined : { exitCode: state.ExitCode, outOfMemory: state.OOMKilled || oom }
    } catch {
      return undefined
    }
  }

  #onEvent({ Action: action, Actor: actor }: DockerEvent): void {
    const watched = this.#watched.get(actor.ID)
    if (watched === undefined) return
    if (action === 'oom') watched.oom = true
    else watched.died.resolve(Number(actor.Attributes.exitCode))
  }

  #reopen(): void {
    this.#stream = undefined
    if (this.#closed) return
    this.#clock.after(RECONNECT_MS, () => void this.open().catch(() => this.#reopen()))
  }
}

function describeExit(exitCode: number): string {
  if (exitCode === KILLED) return 'killed'
  if (ABORTED.includes(exitCode)) return `crashed (exit code ${exitCode})`
  return `exit code ${exitCode}`
}
