// A Hearth of its own for a benchmark: started as a user would, on a free port and in a temporary data directory.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { installationOf } from '#cli/serve/parts'
import { LABELS } from '#invoker/sandbox/docker/labels'

const START_LIMIT_MS = 120_000
/** For the end of sandboxes, and for generic ones to be made. */
const SETTLE_LIMIT_MS = 60_000
/** Generic sandboxes are made one after the other: the first is there in this time, and the next of a container in the step. */
const STOCK_WAIT_MS = 5000
const STOCK_STEP_MS = 500
const LIST_PAGE = 1000

export const NO_STEM_CELLS = { HEARTH_STEM_CELLS: 'off' }
export const STEM_CELLS = { HEARTH_STEM_CELLS: 'auto' }
/** Idle sandboxes stay as they are. */
export const NO_LADDER = { HEARTH_PAUSE_AFTER_MS: '0', HEARTH_HIBERNATE_AFTER_MS: '0' }
/** What sandboxes are counted with must not be what is measured. */
export const UNBOUNDED_MEMORY = { HEARTH_MEMORY_MIB: String(1024 * 1024) }

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

  /**
   * @param settings HEARTH_ variables beside those of every benchmark
   * @param nodeFlags of its main process
   */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    nodeFlags: readonly string[] = [],
  ): Promise<Platform> {
    const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-'))
    const child = spawn(process.execPath, [...nodeFlags, join(import.meta.dirname, '../cli/main.ts'), 'serve'], {
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
    const platform = (url: string): Platform => new Platform(url, 'bench', child, dataDir)
    try {
      return platform(await ready(dataDir, child))
    } catch (error) {
      await platform('')[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Of the main process, for profiles. */
  get pid(): number {
    return this.#child.pid!
  }

  /** The label of its containers. */
  get label(): string {
    return `${LABELS.installation}=${installationOf({ dataDir: this.#dataDir })}`
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

  async remove(name: string): Promise<void> {
    await this.json('DELETE', `/v1/functions/${name}`)
  }

  /** Resolves when no sandbox of the function is left, and `generic` ones that could be specialized for it are there. */
  scaledToZero(name: string, generic = 0): Promise<void> {
    return until(`${name} scaled to zero, ${generic} generic`, async () => {
      const { generic: stock = 0, ...own } = (await this.view(name)).sandboxes
      return Object.values(own).every((count) => count === 0) && stock >= generic
    })
  }

  /** Generic sandboxes that the function's next start could take: 1, or 0 when none is made for it. */
  async stockFor(name: string): Promise<0 | 1> {
    const deadline = performance.now() + STOCK_WAIT_MS
    while (performance.now() < deadline) {
      if (((await this.view(name)).sandboxes.generic ?? 0) > 0) return 1
      await sleep(50)
    }
    return 0
  }

  /** Resolves when nothing is left of any function, and the stock does not grow any more. */
  async allScaledToZero(): Promise<void> {
    let stock = -1
    await until('all functions scaled to zero', async () => {
      const { generic = 0, ...own } = await this.sandboxes()
      const settled = Object.values(own).every((count) => count === 0) && generic === stock
      stock = generic
      if (!settled) await sleep(STOCK_STEP_MS)
      return settled
    })
  }

  /** By state, those of all functions and the generic ones. */
  async sandboxes(): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const counts: Record<string, number> = {}
    for (const [, state, count] of text.matchAll(/^hearth_sandboxes\{.*state="(\w+)"\} (\d+)/gm)) {
      counts[state!] = (counts[state!] ?? 0) + Number(count)
    }
    return counts
  }

  /** All functions, by name. */
  list(): Promise<readonly FunctionSummary[]> {
    return listFunctions(this.url, this.#token)
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

export interface FunctionSummary {
  readonly function: string
  readonly state: string
}

interface FunctionPage {
  readonly functions: readonly FunctionSummary[]
  readonly next?: string
}

/** All functions of a platform, by name. */
export async function listFunctions(url: string, token: string): Promise<readonly FunctionSummary[]> {
  const all: FunctionSummary[] = []
  let cursor: string | undefined = ''
  while (cursor !== undefined) {
    const query = new URLSearchParams({ limit: String(LIST_PAGE), cursor }).toString()
    const response = await fetch(`${url}/v1/functions?${query}`, { headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`the list of functions answered ${response.status}: ${await response.text()}`)
    const page = (await response.json()) as FunctionPage
    all.push(...page.functions)
    cursor = page.next
  }
  return all
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

async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_LIMIT_MS
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error(`expected within ${SETTLE_LIMIT_MS} ms: ${what}`)
    await sleep(5)
  }
}
