// Three small processes on one Redis: one takes calls in and runs them, two only run them. Sandboxes are fake, all else
// is real.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

import { systemClock } from '#core/clock'
import { openStore, type Store } from '#store/open'
import { versionOf } from '#test/invoker/house'
import { startTestRedis } from '#test/redis'
import { tempDir } from '#test/temp-dir'

import type { ProcessOptions } from './process.ts'
import { redisVictim } from './redis-victim.ts'
import { type Effect, type Fuse, FUNCTIONS, type Victim, type World } from './world.ts'

const SCRIPT = join(import.meta.dirname, 'process.ts')
/** Leases that are over soon: a round waits for the takeover. */
const SETTINGS = { leaseMs: 1000, sweepMs: 300, flushMs: 10 }
const TOKEN = 'crash-token'
const LOG_CHARS = 20_000

export async function openLightWorld(appendfsync: 'everysec' | 'always'): Promise<World> {
  await using opening = new AsyncDisposableStack()
  const dir = opening.use(await tempDir())
  const redis = opening.use(await startTestRedis({ appendfsync }))
  const store = opening.use(await openStore({ url: redis.url, settings: SETTINGS }))
  await deployAll(store)
  const shared = { redisUrl: redis.url, settings: SETTINGS, token: TOKEN, effects: join(dir.path, 'effects.jsonl') }
  const deaths = new Map<string, number>()
  const processes = ['front', 'invoker-a', 'invoker-b'].map(
    (name) => new LightProcess(name, { ...shared, gateway: name === 'front' }, deaths),
  )
  for (const each of processes) opening.defer(() => each.kill())
  await Promise.all(processes.map((each) => each.revive()))
  const [front] = processes
  const victim = redisVictim({ url: redis.url, kill: () => redis.kill(), revive: () => redis.restart() })
  const opened = opening.move()
  return {
    name: `processes, appendfsync ${appendfsync}`,
    victims: new Map<string, Victim>([...processes, victim].map((each) => [each.name, each])),
    store,
    redisUrl: redis.url,
    losses: victim.losses,
    mayLose: appendfsync !== 'always',
    url: () => front?.url ?? '',
    token: TOKEN,
    deaths,
    hasIds: true,
    effects: () => readEffects(shared.effects),
    log: () => processes.map((each) => each.log).join(''),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function deployAll(store: Store): Promise<void> {
  for (const [name, spec] of Object.entries(FUNCTIONS)) {
    const version = versionOf(name, { concurrency: 16, timeoutMs: 60_000, ...spec })
    await store.functions.deploy(version, systemClock.now())
  }
}

async function readEffects(path: string): Promise<readonly Effect[]> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Effect)
}

class LightProcess implements Victim {
  readonly name: string
  readonly #options: Omit<ProcessOptions, 'name'>
  readonly #deaths: Map<string, number>
  #child: ChildProcess | undefined
  #births = 0
  url = ''
  log = ''

  constructor(name: string, options: Omit<ProcessOptions, 'name'>, deaths: Map<string, number>) {
    this.name = name
    this.#options = options
    this.#deaths = deaths
  }

  arm(fuse: Fuse): void {
    this.#child?.stdin?.write(`${JSON.stringify(fuse)}\n`)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    if (child.exitCode === null && child.signalCode === null) {
      this.#died()
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
  }

  async revive(): Promise<void> {
    await this.kill()
    this.#births += 1
    const name = this.#fullName
    const argument = JSON.stringify({ ...this.#options, name } satisfies ProcessOptions)
    const child = spawn(process.execPath, [SCRIPT, argument], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    child.once('exit', () => this.#died(name))
    // A fuse that is sent to a process that has just died.
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.log = (this.log + text).slice(-LOG_CHARS)))
    const lines = createInterface(child.stdout)
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${name} ended before it served:\n${this.log}`)
    })
    // Once it serves nobody waits for that.
    ended.catch(() => {})
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string]
    this.url = (JSON.parse(line) as { url: string }).url
  }

  get #fullName(): string {
    return `${this.name}#${this.#births}`
  }

  /** The first to notice is nearest to the truth. */
  #died(name = this.#fullName): void {
    if (!this.#deaths.has(name)) this.#deaths.set(name, systemClock.now())
  }
}
