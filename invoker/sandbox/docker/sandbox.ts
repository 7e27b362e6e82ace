// One running container behind the driver contract.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

import type Docker from 'dockerode'

import type { Clock } from '#core/clock'
import type { Isolation } from '#core/function'
import type { SandboxId } from '#core/ids'
import type { Invocation, ResponseSink } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import type { StopSignal } from '#core/stop-signal'
import type { FileSet } from '#core/artifact'
import { PACK_PATH, packFiles, unpackFiles } from '#core/pack'
import { outcomeOfEnd } from '#invoker/terminate/sandbox-end'

import type { Code, Hibernation, LoadResult, Sandbox, Termination } from '../driver.ts'
import type { FrameSocket } from '../frame-socket.ts'
import type { SandboxLink } from '../link.ts'
import type { AgentSocket } from './agent-socket.ts'
import { cgroupsOf, usageFile } from './cgroup.ts'
import { type Freezer, freezerOf } from './freezer.ts'
import { killAtOnce, removeContainer } from './kill.ts'
import type { LastWords } from './last-words.ts'
import { reclaim } from './reclaim.ts'
import type { Terminations } from './terminations.ts'

/** What the agents of node and python must know to load code; the files follow as a pack (core/pack.ts). */
interface LoadHead {
  readonly function: string
  readonly version: number
  /** `file.export`, or empty. */
  readonly handler: string
  readonly env: Readonly<Record<string, string>>
  /** Say what compiling gave, after `loaded`. */
  readonly compiles: boolean
  readonly isolation: Isolation
}

/** Compiled Python has about twice the size of its source. */
const COMPILED_SHARE = 4
const LEAST_COMPILED_BYTES = 1024 * 1024

export interface DockerSandboxParts {
  readonly id: SandboxId
  readonly memoryMiB: number
  readonly container: Docker.Container
  readonly agentSocket: AgentSocket
  readonly socket: FrameSocket
  readonly link: SandboxLink
  readonly terminations: Terminations
  readonly clock: Clock
  readonly lastWords: LastWords
  /** When the agent's connection is gone. */
  readonly disconnected: Promise<void>
}

export class DockerSandbox implements Sandbox {
  readonly id: SandboxId
  readonly ended: Promise<Termination>
  readonly ending: Promise<void>
  readonly #parts: DockerSandboxParts
  readonly #ended = Promise.withResolvers<Termination>()
  /** 0 until it is known. */
  #pid = 0
  readonly #pidKnown: Promise<void>
  /** Known once it was paused. */
  #freezer: Freezer | undefined
  /** Where its memory is counted; undefined until it is asked for. */
  #usage: string | null | undefined
  #disposal: Promise<void> | undefined
  #compiled: Promise<Buffer | undefined> | undefined

  constructor(parts: DockerSandboxParts) {
    this.id = parts.id
    this.ended = this.#ended.promise
    this.ending = parts.link.ending
    this.#parts = parts
    void parts.disconnected.then(() => this.#onDisconnected())
    this.#pidKnown = this.#findPid()
  }

  async load(code: Code, signal: AbortSignal): Promise<LoadResult> {
    const files = await Promise.all(
      code.files.map(async ({ path, localPath }) => [path, await readFile(localPath, { signal })] as const),
    )
    const { function: name, version, spec } = code
    const compiles = code.compiles === true
    const head: LoadHead = {
      function: name,
      version,
      handler: spec.handler,
      env: spec.env,
      compiles,
      isolation: spec.isolation,
    }
    const [first] = files
    const packed = files.length === 1 && first?.[0] === PACK_PATH ? first[1] : packFiles(new Map(files))
    if (compiles) this.#compiled = this.#parts.link.compiled(COMPILED_SHARE * packed.length + LEAST_COMPILED_BYTES)
    const result = await this.#parts.link.load(head, packed)
    if (result !== undefined) return result
    const { kind, ...end } = outcomeOfEnd(await this.ended, this.#parts.memoryMiB)
    const message = 'detail' in end ? `the sandbox ended while it loaded the code: ${end.detail}` : kind
    return { loaded: false, failure: { type: 'SandboxEnded', message } }
  }

  async invoke(invocation: Invocation, sink: ResponseSink, signal: StopSignal): Promise<Outcome> {
    const outcome = await this.#parts.link.invoke(invocation, sink, signal)
    return outcome ?? outcomeOfEnd(await this.ended, this.#parts.memoryMiB)
  }

  async compiled(): Promise<FileSet> {
    const pack = await this.#compiled
    try {
      return pack === undefined ? new Map() : unpackFiles(pack)
    } catch {
      return new Map()
    }
  }

  responsive(timeoutMs: number): Promise<boolean> {
    return this.#parts.link.responsive(timeoutMs)
  }

  async pause(): Promise<void> {
    await this.#pidKnown
    const { container, clock } = this.#parts
    this.#freezer ??= freezerOf(container, this.#pid, clock)
    await this.#freezer.freeze()
  }

  async resume(): Promise<void> {
    await this.#freezer?.thaw()
  }

  hibernate(): Promise<Hibernation> {
    return reclaim(cgroupsOf(this.#pid, this.#parts.container.id, 'memory'))
  }

  residentBytes(): number | undefined {
    if (this.#pid === 0) return undefined
    // null: looked for in vain.
    this.#usage ??= usageFile(cgroupsOf(this.#pid, this.#parts.container.id, 'memory')) ?? null
    try {
      return this.#usage === null ? undefined : Number(readFileSync(this.#usage, 'utf8'))
    } catch {
      return undefined
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose()
    return this.#disposal
  }

  async #onDisconnected(): Promise<void> {
    const { container, link, lastWords, terminations } = this.#parts
    link.close()
    if (this.#disposal !== undefined) return
    const end = await terminations.classify(container.id, () => lastWords.text)
    const named = end.cause === 'exited' && link.uncaught !== undefined
    // Its type and not its message: callers see it.
    this.#ended.resolve(named ? { ...end, detail: `${end.detail} after an uncaught ${link.uncaught}` } : end)
  }

  async #dispose(): Promise<void> {
    const { container, agentSocket, socket, link, terminations } = this.#parts
    // Once the connection is lost its end is being classified, which a removal would disturb.
    if (socket.closed) await this.ended
    else this.#ended.resolve({ cause: 'disposed' })
    killAtOnce(this.#pid, container.id)
    // In a frozen cgroup of version 1 a signal waits for the thaw; nothing else runs before it is taken.
    this.#freezer?.thaw().catch(() => {})
    link.close()
    socket.close()
    await Promise.all([removeContainer(container), agentSocket[Symbol.asyncDispose]()])
    terminations.forget(container.id)
  }

  async #findPid(): Promise<void> {
    try {
      const { State: state } = await this.#parts.container.inspect()
      this.#pid = state.Pid
    } catch {
      // It has ended already.
    }
  }
}
