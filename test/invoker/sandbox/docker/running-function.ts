// One function in one container: what tests of the driver and of the agents call. The driver is shared by a test file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { sleep } from '#core/clock'
import { digestOf, versionDigest } from '#core/digest'
import type { FunctionVersion, RuntimeName } from '#core/function'
import { newInvocationId, parseFunctionName, parseVersionNumber } from '#core/ids'
import type { Body, HeaderList, LogLine, ResponseHead } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import { parseSpec } from '#core/spec'
import type { Code, LoadResult, Sandbox, SandboxDriver } from '#invoker/sandbox/driver'

export interface Call {
  readonly target?: string
  readonly method?: string
  readonly headers?: HeaderList
  readonly body?: Body | string
  readonly signal?: AbortSignal
  readonly onChunk?: (bytes: Uint8Array) => void | Promise<void>
}

export interface Answer {
  readonly outcome: Outcome
  readonly head: ResponseHead | undefined
  /** Empty when the call has `onChunk`. */
  readonly bytes: Buffer
  readonly text: string
  readonly logs: readonly string[]
}

const never = new AbortController().signal

export class RunningFunction implements AsyncDisposable {
  readonly sandbox: Sandbox
  readonly loaded: LoadResult
  readonly #version: FunctionVersion

  /** @param spec of the function; `waitMs`: how long the container waits for its code */
  static async start(
    driver: SandboxDriver,
    runtime: RuntimeName,
    files: Readonly<Record<string, string | Uint8Array>>,
    { waitMs = 0, ...spec }: Readonly<Record<string, unknown>> & { readonly waitMs?: number } = {},
  ): Promise<RunningFunction> {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-fn-'))
    const local = await Promise.all(
      Object.entries(files).map(async ([path, content], index) => {
        const localPath = join(dir, String(index))
        await writeFile(localPath, content)
        return { path, localPath, digest: digestOf(Buffer.from(content)), size: Buffer.byteLength(content) }
      }),
    )
    const full = parseSpec({ runtime, concurrency: 8, ...spec }, runtime)
    const version: FunctionVersion = {
      function: parseFunctionName('tested'),
      number: parseVersionNumber(3),
      digest: versionDigest(full, new Map()),
      spec: full,
      source: [],
      artifact: local,
      toolchain: 'test',
      createdAt: 0,
    }
    const code: Code = { function: version.function, version: version.number, spec: full, files: local }
    const sandbox = await driver.create(full, never)
    if (waitMs > 0) await sleep(waitMs, never)
    const loaded = await sandbox.load(code, never)
    await rm(dir, { recursive: true })
    return new RunningFunction(sandbox, loaded, version)
  }

  private constructor(sandbox: Sandbox, loaded: LoadResult, version: FunctionVersion) {
    this.sandbox = sandbox
    this.loaded = loaded
    this.#version = version
  }

  async call({
    target = '/',
    method = 'GET',
    headers = [],
    body = '',
    signal = never,
    onChunk,
  }: Call = {}): Promise<Answer> {
    const logs: LogLine[] = []
    const chunks: Uint8Array[] = []
    let head: ResponseHead | undefined
    const outcome = await this.sandbox.invoke(
      {
        id: newInvocationId(),
        version: this.#version,
        trigger: 'http',
        request: {
          method,
          target,
          origin: 'http://test.local:8787',
          headers,
          body: typeof body === 'string' ? Buffer.from(body) : body,
        },
        attempt: 2,
        acceptedAt: Date.now(),
      },
      {
        head(received, whole) {
          head = received
          if (whole !== undefined) chunks.push(whole)
        },
        chunk(bytes) {
          if (onChunk !== undefined) return onChunk(bytes)
          chunks.push(bytes)
        },
        end() {},
        log: (line) => logs.push(line),
      },
      signal,
    )
    const bytes = Buffer.concat(chunks)
    return { outcome, head, bytes, text: bytes.toString(), logs: logs.map(({ stream, text }) => `${stream}: ${text}`) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.sandbox[Symbol.asyncDispose]()
  }
}
