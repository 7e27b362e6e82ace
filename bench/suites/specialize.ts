// From the load frame to the first response, in containers that have waited for code: per runtime, style and size.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { FileSet } from '#core/artifact'
import { sleep } from '#core/clock'
import { digestOf, versionDigest } from '#core/digest'
import type { FunctionVersion, RuntimeName } from '#core/function'
import { newInvocationId, parseFunctionName, parseVersionNumber } from '#core/ids'
import type { Invocation } from '#core/invocation'
import { packFiles, PACK_PATH } from '#core/pack'
import { parseSpec } from '#core/spec'
import type { Code, SandboxDriver } from '#invoker/sandbox/driver'

import { type BenchResult, summarize } from '../result.ts'

const KIB = 1024
const never = new AbortController().signal
/** How long a container waits before it gets its code. */
const WAIT_MS = 1_000

export interface Subject {
  readonly name: string
  readonly runtime: RuntimeName
  readonly files: Readonly<Record<string, string>>
}

const SIZES = { small: 0, '100 KB': 100 * KIB, '5 MB': 5 * KIB * KIB }

export function subjects(): readonly Subject[] {
  return Object.entries(SIZES).flatMap(([size, bytes]) => [
    {
      name: `node CJS ${size}`,
      runtime: 'node' as const,
      files: { 'index.cjs': `${scriptOf(bytes)}\nexports.handler = async (event) => ({ ok: f0(event) })` },
    },
    {
      name: `node ESM ${size}`,
      runtime: 'node' as const,
      files: {
        'index.mjs': `${scriptOf(bytes)}\nexport default { fetch: () => new Response(String(f0({ a: 1 }))) }`,
      },
    },
    { name: `python ${size}`, runtime: 'python' as const, files: { 'main.py': pythonOf(bytes) } },
  ])
}

/**
 * Three ways in turns: a container that gets its code as soon as it is up, so that nothing is rehearsed in it; one that
 * has waited; one that has waited and gets the code compiled as a deploy does. The first is the baseline of the others.
 */
export async function specialize(driver: SandboxDriver, runs: number, only: string): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  for (const { name, runtime, files } of subjects()) {
    if (!name.includes(only)) continue
    const source = asFileSet(files)
    await using plain = await Deployed.of(runtime, packFiles(source))
    await using compiled = await Deployed.of(runtime, await compiledPack(driver, plain, source))
    const waited: number[] = []
    const waitedCompiled: number[] = []
    const atOnce: number[] = []
    for (let run = 0; run < runs; run++) {
      atOnce.push(await firstResponse(driver, plain, 0))
      waited.push(await firstResponse(driver, plain, WAIT_MS))
      waitedCompiled.push(await firstResponse(driver, compiled, WAIT_MS))
    }
    results.push(summarize({ name: `${name}: load to first response`, unit: 'ms' }, waited, atOnce))
    results.push(summarize({ name: `${name}: the same, compiled at deploy`, unit: 'ms' }, waitedCompiled, atOnce))
  }
  return results
}

function asFileSet(files: Readonly<Record<string, string>>): FileSet {
  return new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
}

async function compiledPack(driver: SandboxDriver, { code }: Deployed, source: FileSet): Promise<Uint8Array> {
  await using sandbox = await driver.create(code.spec, never)
  const loaded = await sandbox.load({ ...code, compiles: true }, never)
  if (!loaded.loaded) throw new Error(loaded.failure.message)
  return packFiles(new Map([...source, ...((await sandbox.compiled?.()) ?? [])]))
}

async function firstResponse(driver: SandboxDriver, code: Deployed, waitMs: number): Promise<number> {
  await using sandbox = await driver.create(code.version.spec, never)
  if (waitMs > 0) await sleep(waitMs, never)
  const start = performance.now()
  const loaded = await sandbox.load(code.code, never)
  if (!loaded.loaded) throw new Error(loaded.failure.message)
  await code.call((invocation, sink) => sandbox.invoke(invocation, sink, never))
  return performance.now() - start
}

/** A version and its code on this disk. */
export class Deployed implements AsyncDisposable {
  readonly version: FunctionVersion
  readonly code: Code
  readonly #dir: string

  static async of(runtime: RuntimeName, pack: Uint8Array): Promise<Deployed> {
    const dir = await mkdtemp(join(tmpdir(), 'hearth-code-'))
    const localPath = join(dir, PACK_PATH)
    await writeFile(localPath, pack)
    const spec = parseSpec({ runtime, memoryMiB: 1024 }, runtime)
    const file = { path: PACK_PATH, digest: digestOf(pack), size: pack.length }
    const version: FunctionVersion = {
      function: parseFunctionName('bench'),
      number: parseVersionNumber(1),
      digest: versionDigest(spec, new Map()),
      spec,
      source: [],
      artifact: [file],
      toolchain: 'bench',
      createdAt: 0,
    }
    const code = { function: version.function, version: version.number, spec, files: [{ ...file, localPath }] }
    return new Deployed(dir, version, code)
  }

  private constructor(dir: string, version: FunctionVersion, code: Code) {
    this.#dir = dir
    this.version = version
    this.code = code
  }

  /** One call that must be answered with 200. */
  async call(
    invoke: (
      invocation: Invocation,
      sink: { head(): void; chunk(): undefined; end(): void; log(): void },
    ) => Promise<{ readonly kind: string }>,
  ): Promise<void> {
    const request = {
      method: 'POST',
      target: '/',
      origin: 'http://bench.test',
      headers: [],
      body: Buffer.from('{"a":1}'),
    }
    const { version } = this
    const invocation: Invocation = {
      id: newInvocationId(),
      version,
      trigger: 'http',
      request,
      attempt: 1,
      acceptedAt: Date.now(),
    }
    const outcome = await invoke(invocation, { head() {}, chunk: () => undefined, end() {}, log() {} })
    if (outcome.kind !== 'responded') throw new Error(JSON.stringify(outcome))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true })
  }
}

/** Many small functions, as bundles have them. */
function scriptOf(bytes: number): string {
  const parts: string[] = []
  for (let index = 0, size = 0; index === 0 || size < bytes; index++) {
    const part = `function f${index}(event) { const value = event.a + ${index}; if (value % 7 === 3) { return [value, "${index}"].map((each) => String(each)).join("-") } return { value, name: "function ${index}", next: value * 31 % 1009 } }`
    parts.push(part)
    size += part.length + 1
  }
  return parts.join('\n')
}

function pythonOf(bytes: number): string {
  const parts: string[] = []
  for (let index = 0, size = 0; index === 0 || size < bytes; index++) {
    const part = `def f${index}(event):\n    value = event["a"] + ${index}\n    if value % 7 == 3:\n        return "-".join(str(each) for each in [value, "${index}"])\n    return {"value": value, "name": "function ${index}", "next": value * 31 % 1009}\n`
    parts.push(part)
    size += part.length
  }
  return `${parts.join('')}\ndef handler(event, context):\n    return {"ok": f0(event)}\n`
}
