// A Hearth of its own for a benchmark: started as a user would, on a free port and in a temporary data directory.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT_MS = 120_000

export interface FunctionView {
  readonly version: number
  readonly sandboxes: Readonly<Record<string, number>>
}

export class Platform implements AsyncDisposable {
  readonly url: string
  readonly #token: string
  readonly #child: ChildProcess
  readonly #dataDir: string

  private constructor(url: string, token: string, child: ChildProcess, dataDir: string) {
    this.url = url
    this.#token = token
    this.#child = child
    this.#dataDir = dataDir
  }

  /** @param settings HEARTH_ variables beside those of every benchmark */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<Platform> {
    const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-'))
    const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/main.ts'), 'serve'], {
      env: {
        ...process.env,
        HEARTH_PORT: '0',
        HEARTH_DATA_DIR: dataDir,
        HEARTH_EXAMPLES: 'off',
        HEARTH_ADMIN_TOKEN: 'bench',
        HEARTH_LOG_LEVEL: 'error',
        ...settings,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const url = await ready(dataDir, child)
    return new Platform(url, 'bench', child, dataDir)
  }

  /** The pid, for profiles. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Which drivers are on. */
  async drivers(): Promise<readonly string[]> {
    const state = (await this.json('GET', '/readyz')) as { drivers: { name: string; on: boolean }[] }
    return state.drivers.filter((driver) => driver.on).map((driver) => driver.name)
  }

  async deploy(name: string, type: string, code: string | Uint8Array, spec: Record<string, string>): Promise<void> {
    await this.json('PUT', `/v1/functions/${name}?${new URLSearchParams(spec).toString()}`, type, code)
  }

  async view(name: string): Promise<FunctionView> {
    return (await this.json('GET', `/v1/functions/${name}`)) as FunctionView
  }

  /** Resolves when no sandbox of the function is left, and `generic` ones that could be specialized for it are there. */
  async scaledToZero(name: string, generic = 0): Promise<void> {
    for (;;) {
      const { generic: stock, ...own } = (await this.view(name)).sandboxes
      if (Object.values(own).every((count) => count === 0) && (stock ?? 0) >= generic) return
      await sleep(5)
    }
  }

  async json(method: string, path: string, type?: string, body?: string | Uint8Array): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...(type === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM')
      await once(this.#child, 'exit')
    }
    await rm(this.#dataDir, { recursive: true, force: true })
  }
}

async function ready(dataDir: string, child: ChildProcess): Promise<string> {
  const deadline = performance.now() + START_LIMIT_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`hearth serve ended with exit code ${child.exitCode}`)
    const text = await readFile(join(dataDir, 'instance.json'), 'utf8').catch(() => undefined)
    if (text !== undefined) {
      const { url } = JSON.parse(text) as { url: string }
      const response = await fetch(`${url}/readyz`).catch(() => undefined)
      if (response?.ok === true) return url
    }
    await sleep(50)
  }
  throw new Error(`hearth serve was not ready within ${START_LIMIT_MS} ms`)
}
