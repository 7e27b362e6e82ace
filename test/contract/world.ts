// What a contract test has at hand: an invoker over the driver under test, functions made of a fixture, and calls.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { BlobStore, FileSet } from '#core/artifact'
import { systemClock } from '#core/clock'
import { digestOf, versionDigest } from '#core/digest'
import { PlatformError } from '#core/errors'
import type { FunctionVersion, RuntimeName } from '#core/function'
import { type Digest, newInvocationId, parseFunctionName, parseVersionNumber } from '#core/ids'
import type { Body, HeaderList, Invocation, LogLine, ResponseHead, Start } from '#core/invocation'
import type { Completion } from '#core/invoker'
import { parseSpec } from '#core/spec'
import { ArtifactCache } from '#invoker/artifacts'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker } from '#invoker/local-invoker'
import { type Ladder, NO_LADDER } from '#invoker/pool/descend'
import type { Code, SandboxDriver } from '#invoker/sandbox/driver'

/** The behaviours (behaviours.ts) as a function of one runtime. */
export interface Fixture {
  /** For the titles of tests: `node`, `python`. */
  readonly name: string
  /** As a user would write it; `runtime` is needed. */
  readonly spec: Readonly<Record<string, unknown>> & { readonly runtime: RuntimeName }
  /** What a sandbox loads. Made once per suite. */
  artifact(): Promise<FileSet>
  /** As `artifact`, of code whose top level throws BROKEN_MESSAGE. */
  broken?(): Promise<FileSet>
}

export interface Reply {
  readonly completion: Completion
  readonly start: Start | undefined
  readonly head: ResponseHead | undefined
  readonly body: Uint8Array
  readonly text: string
  /** When each piece of the body came, monotonic ms. */
  readonly chunkTimes: readonly number[]
  readonly logs: readonly LogLine[]
}

export interface Request {
  readonly method?: string
  readonly headers?: HeaderList
  readonly body?: Body
  readonly signal?: AbortSignal
}

const LIMITS = { maxHeaders: 256, maxHeaderBytes: 65_536, maxBodyBytes: 128 * 1024 * 1024 }

export class World implements AsyncDisposable {
  readonly driver: SandboxDriver
  readonly invoker: Dispatcher
  readonly fixture: Fixture
  readonly #cache: ArtifactCache
  readonly #blobs: MemoryBlobs
  readonly #dir: string
  readonly #artifact: FileSet
  #names = 0
  #shared: Promise<FunctionVersion> | undefined

  static async open(driver: SandboxDriver, fixture: Fixture, ladder = NO_LADDER): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-contract-'))
    return new World(driver, fixture, { dir, artifact: await fixture.artifact(), ladder })
  }

  private constructor(
    driver: SandboxDriver,
    fixture: Fixture,
    { dir, artifact, ladder }: { dir: string; artifact: FileSet; ladder: Ladder },
  ) {
    this.driver = driver
    this.fixture = fixture
    this.#dir = dir
    this.#artifact = artifact
    this.#blobs = new MemoryBlobs()
    const clock = systemClock
    this.#cache = new ArtifactCache({ dir, blobs: this.#blobs, maxBytes: 1 << 30, clock })
    this.invoker = createLocalInvoker({
      clock,
      log: { warn: () => undefined },
      drivers: [driver],
      absent: [],
      artifacts: this.#cache,
      limits: LIMITS,
      memoryMiB: 16_384,
      maxWaiting: 1000,
      maxWaitMs: 30_000,
      ladder,
    })
  }

  /** A function that nothing else uses, or a new version of one. */
  async deploy(
    spec: Readonly<Record<string, unknown>> = {},
    { of, files = this.#artifact }: { of?: FunctionVersion; files?: FileSet } = {},
  ): Promise<FunctionVersion> {
    const full = parseSpec({ timeoutMs: 10_000, ...this.fixture.spec, ...spec }, this.fixture.spec.runtime)
    const artifact = await this.#blobs.putAll(files)
    return {
      function: of?.function ?? parseFunctionName(`contract-${this.fixture.name}-${++this.#names}`),
      number: parseVersionNumber((of?.number ?? 0) + 1),
      digest: versionDigest(full, files),
      spec: full,
      source: [],
      artifact,
      toolchain: 'contract',
      createdAt: Date.now(),
    }
  }

  /** One function for all tests that leave nothing behind in it. */
  shared(): Promise<FunctionVersion> {
    this.#shared ??= this.deploy()
    return this.#shared
  }

  async call(version: FunctionVersion, target: string, request: Request = {}): Promise<Reply> {
    const sink = new Recorder()
    const { method = 'GET', headers = [], body = new Uint8Array(), signal = new AbortController().signal } = request
    const invocation: Invocation = {
      id: newInvocationId(),
      version,
      trigger: 'http',
      request: { method, target, origin: 'http://contract.test', headers, body },
      attempt: 1,
      acceptedAt: Date.now(),
    }
    const completion = await this.invoker.invoke(invocation, sink, signal)
    return sink.reply(completion)
  }

  /** For tests of the driver itself. */
  async codeOf(version: FunctionVersion): Promise<Code> {
    const files = await this.#cache.fetch(version.artifact, new AbortController().signal)
    return { function: version.function, version: version.number, spec: version.spec, files }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.invoker.drain(0)
    await rm(this.#dir, { recursive: true, force: true })
  }
}

class MemoryBlobs implements BlobStore {
  readonly #bytes = new Map<Digest, Uint8Array>()

  async putAll(files: FileSet): ReturnType<BlobStore['putAll']> {
    return [...files].map(([path, bytes]) => {
      const digest = digestOf(bytes)
      this.#bytes.set(digest, bytes)
      return { path, digest, size: bytes.length }
    })
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const bytes = this.#bytes.get(digest)
    if (bytes === undefined) throw new PlatformError('internal', { detail: `no blob ${digest}` })
    return bytes
  }
}

/** Keeps what a caller would see. */
export class Recorder {
  start: Start | undefined
  responseHead: ResponseHead | undefined
  readonly chunks: Uint8Array[] = []
  readonly chunkTimes: number[] = []
  readonly lines: LogLine[] = []
  ended = false

  started(start: Start): void {
    this.start = start
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    this.responseHead = head
    if (whole !== undefined) this.chunk(whole)
  }

  chunk(bytes: Uint8Array): void {
    this.chunks.push(bytes)
    this.chunkTimes.push(performance.now())
  }

  end(): void {
    this.ended = true
  }

  log(line: LogLine): void {
    this.lines.push(line)
  }

  reply(completion: Completion): Reply {
    const body = Buffer.concat(this.chunks)
    return {
      completion,
      start: this.start,
      head: this.responseHead,
      body,
      text: body.toString(),
      chunkTimes: this.chunkTimes,
      logs: this.lines,
    }
  }
}
