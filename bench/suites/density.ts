// What functions cost that nobody calls: memory of the platform and of Redis, processor time; and how many sandboxes
// of each runtime fit into a GiB, warm and hibernated. One function is deployed over HTTP; the others are its version
// under names of their own, put into the store beside the platform, which hears of each as of a deploy by another
// process. To build 10,000 times the same would take minutes and change nothing of what is measured.
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { type FunctionName, parseFunctionName, parseVersionNumber } from '#core/ids'
import { ask } from '#store/server/ask'
import { openStore, type Store } from '#store/open'
import { findRedis } from '#store/server/find'

import { BENCH_FUNCTIONS } from '../functions.ts'
import { get } from '../load.ts'
import type { Options } from '../options.ts'
import { NO_LADDER, NO_STEM_CELLS, Platform, UNBOUNDED_MEMORY } from '../platform.ts'
import { anonymousOf, cpuSecondsOf } from '../process-tree.ts'
import { type BenchResult, summarize } from '../result.ts'
import { hibernatedSandboxes } from './hibernated.ts'
import { warmSandboxes } from './warm-sandboxes.ts'

const KB = 1000
const MOST_KB = 25
/** % of a processor, for 1,000 functions. */
const MOST_CPU = 0.1
/** The one that is deployed over HTTP. */
const FIRST = parseFunctionName('first')
/** Deploys, and later calls, at the same time. */
const WIDTH = 8
/** So many of all functions are then called once. */
const CALLED_SHARE = 0.1
const CPU_WINDOW_MS = 20_000
const COLLECT_MS = 500
const COLLECT_GARBAGE = ['--expose-gc', '--import', join(import.meta.dirname, '../collect-garbage.mjs')]
const DEPLOYED = BENCH_FUNCTIONS.find(({ name }) => name === 'js-reset')!

export async function density({ functions: count }: Options): Promise<readonly BenchResult[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hearth-bench-redis-'))
  try {
    await using redis = await findRedis({
      dataDir,
      cacheDir: join(tmpdir(), 'hearth-bench-cache'),
      onProgress: (message) => console.error(message),
      signal: new AbortController().signal,
    })
    const settings = { ...NO_STEM_CELLS, ...NO_LADDER, ...UNBOUNDED_MEMORY, HEARTH_REDIS_URL: redis.url }
    await using platform = await Platform.start(settings, COLLECT_GARBAGE)
    await using store = await openStore({ url: redis.url })
    const redisPath = new URL(redis.url).pathname
    const subject = { platform, store, redisPath, redisPid: await pidOfRedis(redisPath) }
    const idle = await idleFunctions(subject, count)
    return [...idle, ...(await warmSandboxes(platform)), ...(await hibernatedSandboxes())]
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

interface Subject {
  readonly platform: Platform
  readonly store: Store
  readonly redisPath: string
  readonly redisPid: number
}

interface Held {
  readonly platform: number
  readonly Redis: number
}

async function idleFunctions(subject: Subject, count: number): Promise<readonly BenchResult[]> {
  const { platform } = subject
  const names = Array.from({ length: count }, (_, index) => parseFunctionName(`idle-${index}`))
  const called = names.slice(0, Math.ceil(count * CALLED_SHARE))
  // One of it all, so that what is made once for all functions is not counted.
  await platform.deploy(FIRST, DEPLOYED.type, await DEPLOYED.code(), { ...DEPLOYED.spec, keepAlive: '20ms' })
  await callOnce(platform, [FIRST])
  await list(platform, 1)
  const [empty, emptyCpu] = [await held(subject), await cpuShare(subject)]
  await deployAs(subject.store, names)
  const [deployed, deployedCpu] = [await held(subject), await cpuShare(subject)]
  await list(platform, count + 1)
  const listed = await held(subject)
  await callOnce(platform, called)
  const afterCalls = await held(subject)
  const memory = (
    of: keyof Held,
    name: string,
    [after, before, functions]: [Held, Held, number],
    most?: number,
  ): BenchResult => result(`${of} memory of ${name}`, 'KB', (after[of] - before[of]) / functions / KB, most)
  return [
    memory('platform', `one of ${count} idle functions`, [deployed, empty, count], MOST_KB),
    memory('platform', 'an idle function, all known and listed', [listed, empty, count], MOST_KB),
    memory('platform', 'its first call, in addition', [afterCalls, listed, called.length]),
    memory('Redis', `one of ${count} idle functions`, [deployed, empty, count]),
    memory('Redis', 'its first call, with the record', [afterCalls, listed, called.length]),
    result('idle processor time without functions', '%', 100 * emptyCpu),
    result(`idle processor time with ${count} functions`, '%', 100 * deployedCpu),
    result('idle processor time per 1,000 functions', '%', (100 * (deployedCpu - emptyCpu) * 1000) / count, MOST_CPU),
  ]
}

function result(name: string, unit: string, value: number, most?: number): BenchResult {
  return summarize({ name: `density ${name}`, unit, ...(most === undefined ? {} : { aim: { of: 'value', most } }) }, [
    value,
  ])
}

async function deployAs({ functions }: Store, names: readonly FunctionName[]): Promise<void> {
  const first = await functions.version(FIRST, parseVersionNumber(1))
  if (first === undefined) throw new Error('the store was expected to have the function that was deployed')
  const { number: _, createdAt, ...version } = first
  await inParallel(names, 'deployed', (name) => functions.deploy({ ...version, function: name }, createdAt))
}

/** Lets the platform read all functions, as a dashboard does. */
async function list(platform: Platform, count: number): Promise<void> {
  const functions = await platform.list()
  if (functions.length !== count) throw new Error(`${count} functions were expected: ${functions.length} are listed`)
}

async function callOnce(platform: Platform, names: readonly string[]): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: WIDTH })
  await inParallel(names, 'called', (name) => get(`${platform.url}/fn/${name}`, agent))
  agent.destroy()
  await platform.allScaledToZero()
}

async function inParallel<Name extends string>(
  names: readonly Name[],
  done: string,
  each: (name: Name) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const workers = Array.from({ length: WIDTH }, async () => {
    for (let index = next++; index < names.length; index = next++) {
      await each(names[index]!)
      if ((index + 1) % 1000 === 0) console.error(`density: ${index + 1} of ${names.length} functions ${done}`)
    }
  })
  await Promise.all(workers)
}

/** After all garbage was collected. */
async function held({ platform, redisPath }: Subject): Promise<Held> {
  for (let times = 0; times < 3; times++) {
    process.kill(platform.pid, 'SIGUSR2')
    await sleep(COLLECT_MS)
  }
  const info = await ask(redisPath, 'INFO', 'memory')
  return { platform: await anonymousOf(platform.pid), Redis: Number(/^used_memory:(\d+)/m.exec(info ?? '')?.[1]) }
}

/** Of one processor, by platform and Redis together while nobody asks them anything. */
async function cpuShare({ platform, redisPid }: Subject): Promise<number> {
  const used = async (): Promise<number> => (await cpuSecondsOf(platform.pid)) + (await cpuSecondsOf(redisPid))
  console.error(`density: nothing is asked for ${CPU_WINDOW_MS / 1000} s`)
  const [before, from] = [await used(), performance.now()]
  await sleep(CPU_WINDOW_MS)
  return ((await used()) - before) / ((performance.now() - from) / 1000)
}

async function pidOfRedis(path: string): Promise<number> {
  const info = await ask(path, 'INFO', 'server')
  return Number(/^process_id:(\d+)/m.exec(info ?? '')?.[1])
}
