// Sandboxes that are WebAssembly: worker threads of a host process that has no rights, one for each sandbox. Does not
// build anything: what a sandbox loads is described in artifact.ts and made in build/.
import { resolve } from 'node:path'

import type { FileSet } from '#core/artifact'
import { type Clock, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { type Frame, FrameFlag, parseJson } from '#core/frames'
import { newSandboxId, type SandboxId } from '#core/ids'

import type { DriverCapabilities, Sandbox, SandboxDriver, SandboxSpec, Termination } from '../driver.ts'
import { ControlType, MAX_BODY_BYTES, MAX_INSTANCES } from './control.ts'
import { EgressGate } from './egress.ts'
import { type Host, HostProcess } from './host-process.ts'
import { PracticeFunction } from './practice-function.ts'
import { WasmSandbox } from './sandbox.ts'

export interface WasmDriverOptions {
  /** Where the artifacts lie that sandboxes are to load: the only files of others that the host process can read. */
  readonly artifactDir: string
  /** Where the driver may keep what it can make again. */
  readonly cacheDir: string
  readonly clock?: Clock
  /** Workers kept ready. */
  readonly spares?: number
  /** Finds the function that spare workers practise with. Absent: they practise with no js. */
  readonly practice?: (make: boolean) => Promise<FileSet | undefined>
  /** Compiled modules kept, by the size of their files. */
  readonly moduleCacheBytes?: number
  /** Resident memory of the host process at which it is killed, MiB: a net under the limits of the guests. */
  readonly maxHostMiB?: number
}

const MAX_CHANNEL = 0xffff
const SPARES = 2
const MODULE_CACHE_BYTES = 268_435_456
const MAX_HOST_MIB = 8_192

export function createWasmDriver(options: WasmDriverOptions): SandboxDriver {
  return new WasmDriver(options)
}

class WasmDriver implements SandboxDriver {
  readonly name = 'wasm'
  readonly capabilities: DriverCapabilities = {
    runtimes: ['js', 'wasm'],
    maxConcurrency: MAX_INSTANCES,
    maxBodyBytes: MAX_BODY_BYTES,
  }
  readonly detail = `WebAssembly in node ${process.versions.node} (V8 ${process.versions.v8})`
  readonly #clock: Clock
  readonly #process: HostProcess
  readonly #gate: EgressGate
  readonly #practice: PracticeFunction | undefined
  readonly #sandboxes = new Map<number, WasmSandbox>()
  #host: Host | undefined
  #lastChannel = 0

  constructor({ artifactDir, cacheDir, clock = systemClock, ...options }: WasmDriverOptions) {
    this.#clock = clock
    this.#gate = new EgressGate({ clock })
    const practiceDir = resolve(cacheDir, 'practice')
    this.#process = new HostProcess({
      readableDirs: [resolve(artifactDir), practiceDir],
      cacheDir: resolve(cacheDir),
      clock,
      spares: options.spares ?? SPARES,
      moduleCacheBytes: options.moduleCacheBytes ?? MODULE_CACHE_BYTES,
      maxMiB: options.maxHostMiB ?? MAX_HOST_MIB,
    })
    const { practice: find } = options
    if (find !== undefined) {
      this.#practice = new PracticeFunction({ find, dir: practiceDir, onFound: () => this.#sendPractice() })
    }
    // Started now, so that the first call finds it running; whoever needs it hears why it could not be.
    this.#connect().catch(() => {})
  }

  async create(_spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted()
    const host = await this.#connect()
    signal.throwIfAborted()
    const channel = this.#freeChannel()
    const sandbox = new WasmSandbox({
      id: newSandboxId('wasm'),
      channel,
      socket: host.socket,
      clock: this.#clock,
      gate: this.#gate,
      onLoaded: ({ runtime }) => runtime === 'js' && void this.#practice?.want(),
      onEnded: () => this.#sandboxes.delete(channel),
    })
    this.#sandboxes.set(channel, sandbox)
    // What is sent next arrives after this: whoever loads need not wait for the worker first.
    host.socket.send({ type: ControlType.create, flags: FrameFlag.none, channel: 0, call: channel })
    return sandbox
  }

  /** Nothing outlives the process: the host ends when its pipe closes. */
  async recover(): Promise<readonly SandboxId[]> {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sandbox of this.#sandboxes.values()) sandbox.end({ cause: 'disposed' })
    this.#gate[Symbol.dispose]()
    await this.#process[Symbol.asyncDispose]()
  }

  async #connect(): Promise<Host> {
    const host = await this.#process.get()
    if (this.#host === host) return host
    this.#host = host
    host.onFrame = (frame) => this.#receive(frame)
    void this.#endWith(host)
    this.#sendPractice()
    return host
  }

  #sendPractice(): void {
    const files = this.#practice?.files
    if (files === undefined) return
    const header = { type: ControlType.practise, flags: FrameFlag.none, channel: 0, call: 0 }
    this.#host?.socket.send(header, Buffer.from(JSON.stringify(files)))
  }

  async #endWith(host: Host): Promise<void> {
    const how = await host.gone
    if (this.#host === host) this.#host = undefined
    for (const sandbox of this.#sandboxes.values())
      sandbox.end({ cause: 'exited', detail: `the Wasm host ended: ${how}` })
  }

  #receive(frame: Frame): void {
    if (frame.channel !== 0) return this.#sandboxes.get(frame.channel)?.receive(frame)
    if (frame.type === ControlType.ended) {
      this.#sandboxes.get(frame.call)?.end(parseJson(frame.payload) as Termination)
    }
  }

  #freeChannel(): number {
    for (let tries = 0; tries < MAX_CHANNEL; tries++) {
      this.#lastChannel = (this.#lastChannel % MAX_CHANNEL) + 1
      if (!this.#sandboxes.has(this.#lastChannel)) return this.#lastChannel
    }
    throw new PlatformError('sandbox-unavailable', { detail: `at most ${MAX_CHANNEL} Wasm sandboxes at the same time` })
  }
}
