// For tests of the Wasm host: artifacts made on the spot, and calls in sandboxes without a pool around them.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools'
import { main as compile } from 'assemblyscript/asc'

import type { FileSet, LocalFile } from '#core/artifact'
import { digestOf } from '#core/digest'
import type { FunctionVersion, RuntimeName } from '#core/function'
import { newInvocationId, parseFunctionName, parseVersionNumber } from '#core/ids'
import type { HeaderList, LogLine, ResponseHead } from '#core/invocation'
import type { Outcome } from '#core/outcome'
import { parseSpec } from '#core/spec'
import type { LoadResult, Sandbox, SandboxDriver } from '#invoker/sandbox/driver'
import { FORMAT } from '#invoker/sandbox/wasm/artifact'
import { createWasmBuilder } from '#invoker/sandbox/wasm/build/builder'
import { createWasmDriver } from '#invoker/sandbox/wasm/driver'

export interface Reply {
  readonly outcome: Outcome
  readonly head: ResponseHead | undefined
  readonly text: string
  readonly logs: readonly string[]
}

export interface Request {
  readonly method?: string
  readonly headers?: HeaderList
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  /** Where the lines go as they come. */
  readonly logs?: string[]
}

const never = (): AbortSignal => new AbortController().signal

/** A driver and folders of its own. */
export class WasmWorkshop implements AsyncDisposable {
  readonly driver: SandboxDriver
  readonly dir: string

  static async open(): Promise<WasmWorkshop> {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-wasm-'))
    await Promise.all(['artifacts', 'host'].map((name) => mkdir(join(dir, name))))
    return new WasmWorkshop(dir)
  }

  private constructor(dir: string) {
    this.dir = dir
    this.driver = createWasmDriver({ artifactDir: join(dir, 'artifacts'), cacheDir: join(dir, 'host') })
  }

  async build(runtime: RuntimeName, path: string, code: string | Uint8Array): Promise<FileSet> {
    await using builder = createWasmBuilder({ cacheDir: join(this.dir, 'builder') })
    const source = new Map([[path, Buffer.from(code)]])
    const draft = { name: parseFunctionName('test'), spec: parseSpec({ runtime }, runtime), source }
    return (await builder.build(draft, () => {}, never())).artifact
  }

  async onDisk(files: FileSet): Promise<readonly LocalFile[]> {
    return Promise.all(
      [...files].map(async ([path, bytes]) => {
        const digest = digestOf(bytes)
        const localPath = join(this.dir, 'artifacts', `${digest}${extname(path)}`)
        await writeFile(localPath, bytes)
        return { path, digest, size: bytes.length, localPath }
      }),
    )
  }

  async load(files: FileSet, spec: Readonly<Record<string, unknown>> = {}): Promise<LoadedSandbox> {
    const full = parseSpec({ timeoutMs: 10_000, ...spec }, 'js')
    const sandbox = await this.driver.create(full, never())
    const version = parseVersionNumber(1)
    const name = parseFunctionName('test')
    const code = { function: name, version, spec: full, files: await this.onDisk(files) }
    const loaded = await sandbox.load(code, never())
    return new LoadedSandbox(sandbox, { function: name, number: version, spec: full } as FunctionVersion, loaded)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver[Symbol.asyncDispose]()
    await rm(this.dir, { recursive: true, force: true })
  }
}

export class LoadedSandbox {
  readonly sandbox: Sandbox
  readonly loaded: LoadResult
  readonly #version: FunctionVersion

  constructor(sandbox: Sandbox, version: FunctionVersion, loaded: LoadResult) {
    this.sandbox = sandbox
    this.#version = version
    this.loaded = loaded
  }

  async call(target: string, { method = 'GET', headers = [], body, ...options }: Request = {}): Promise<Reply> {
    const { signal = never(), logs = [] } = options
    let head: ResponseHead | undefined
    const chunks: Uint8Array[] = []
    const sink = {
      head(received: ResponseHead, whole: Uint8Array | undefined) {
        head = received
        if (whole !== undefined) chunks.push(whole)
      },
      chunk: (bytes: Uint8Array) => void chunks.push(bytes),
      end() {},
      log: ({ stream, text }: LogLine) => void logs.push(`${stream}: ${text}`),
    }
    const request = { method, target, origin: 'http://test.local:8787', headers, body: body ?? new Uint8Array() }
    const invocation = {
      id: newInvocationId(),
      version: this.#version,
      trigger: 'http',
      request,
      attempt: 1,
      acceptedAt: Date.now(),
    } as const
    const outcome = await this.sandbox.invoke(invocation, sink, signal)
    return { outcome, head, text: Buffer.concat(chunks).toString(), logs }
  }
}

/** An artifact of glue written by hand, a module or a script: what an attacker would want jco to generate. */
export function handmade(glue: string, script = false): FileSet {
  const manifest = {
    format: FORMAT,
    script,
    world: 'function',
    engine: 'quickjs',
    glue: 'component.js',
    cores: {},
    resettable: true,
    async: true,
    export: 'handle',
  }
  return new Map([
    ['component.js', Buffer.from(glue)],
    ['manifest.json', Buffer.from(JSON.stringify(manifest))],
  ])
}

/** AssemblyScript whose `handle` is that of wasi:http/incoming-handler@0.2.0 → component. */
export async function assembleComponent(source: string, witSource: string, world: string): Promise<Uint8Array> {
  const transform = fileURLToPath(new URL('../../../../functions/hello-wasm/export-handler.mjs', import.meta.url))
  const binary = await assemble(source, '--transform', transform)
  return componentNew(await componentEmbed({ binary, witSource, world }), [])
}

/** AssemblyScript → core module. `abort` and the like are not imported. */
export async function assemble(source: string, ...options: readonly string[]): Promise<Uint8Array> {
  let module: Uint8Array | undefined
  const { error, stderr } = await compile(
    ['main.ts', '--outFile', 'main.wasm', '--optimize', '--runtime', 'stub', '--use', 'abort=', ...options],
    {
      readFile: (name) => (name === 'main.ts' ? source : null),
      writeFile: (_name, contents) => {
        module = contents as Uint8Array
      },
    },
  )
  if (module === undefined) throw new Error(`AssemblyScript: ${stderr.toString()}`, { cause: error })
  return module
}
