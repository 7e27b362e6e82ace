// The last hours of a synthetic trace as real calls of a platform, time-scaled: HTTP, Redis and Wasm sandboxes are as ever,
// the pool has a clock of its own by which they pass in minutes, and with it every window of keep-alive. The same
// calls are replayed in virtual time as well: what the simulation says is the baseline of what happens.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Clock, sleep } from '#core/clock'
import { parseFunctionName } from '#core/ids'
import { encodeHistory } from '#invoker/pool/keep-alive/encode'
import { openStore } from '#store/open'
import { findRedis } from '#store/server/find'

import type { BenchResult } from '../../result.ts'
import { generate, type TraceShape } from '../generate.ts'
import { replayUnit } from '../replay.ts'
import { type Due, sendAll } from './caller.ts'
import { lastHours, type LiveApp } from './hours.ts'
import { openLive, TOKEN } from './open.ts'
import { LIVE_POLICIES, type LivePolicy, sentOf } from './policies.ts'
import { Loaded } from './loaded.ts'
import { type Measured, resultsOf } from './results.ts'
import { scaledClock } from './scaled-clock.ts'

const SEED = 1
const DAY_MS = 86_400_000
/** From the restart, with what was learned, to the first hour; of the pool's clock. */
const LEAD_MS = 1_800_000
const CODE = `export default {
  async fetch(request) {
    const ms = Number(new URL(request.url).searchParams.get('ms'))
    await new Promise((resolve) => setTimeout(resolve, ms))
    return new Response('done')
  },
}`
/** One sandbox takes all calls, as in the replay. */
const SPEC = { runtime: 'js', instances: 'warm', concurrency: '16', maxSandboxes: '1', memoryMiB: '64' }
const DEPLOYS_AT_ONCE = 4

export interface LiveSpan {
  /** Of the trace, its last ones. */
  readonly hours: number
  /** That they take. */
  readonly minutes: number
}

export async function replayLive(shape: TraceShape, { hours, minutes }: LiveSpan): Promise<readonly BenchResult[]> {
  const untilMs = shape.days * DAY_MS
  const fromMs = untilMs - hours * 3_600_000
  const apps = lastHours(generate(SEED, shape), fromMs)
  const scale = (hours * 60) / minutes
  console.error(
    `live: ${apps.length} of ${shape.apps} apps are called in ${hours} h, which take ${minutes} min (${scale} times as fast)`,
  )
  const dir = await mkdtemp(join(tmpdir(), 'hearth-live-'))
  try {
    await using redis = await findRedis({
      dataDir: dir,
      cacheDir: join(tmpdir(), 'hearth-bench-cache'),
      onProgress: (message) => console.error(message),
      signal: new AbortController().signal,
    })
    await deployAll(dir, redis.url, apps)
    await remember(redis.url, apps)
    const clock = scaledClock(scale, fromMs - LEAD_MS)
    const restartMs = clock.now()
    const measured = await callAll(dir, redis.url, { apps, clock, fromMs, untilMs, scale })
    return resultsOf({ ...measured, ...simulated(apps, restartMs, untilMs) })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function nameOf(app: number, { name }: LivePolicy): string {
  return `app-${app}-${name}`
}

/** By a platform with the usual clock. */
async function deployAll(dir: string, redisUrl: string, apps: readonly LiveApp[]): Promise<void> {
  await using platform = await openLive(dir, redisUrl)
  const all = apps.flatMap((_, app) => LIVE_POLICIES.map((policy) => ({ name: nameOf(app, policy), policy })))
  console.error(`live: deploying ${all.length} functions, one for each app and policy`)
  const deploys = Array.from({ length: DEPLOYS_AT_ONCE }, async () => {
    for (let next = all.pop(); next !== undefined; next = all.pop()) {
      const query = new URLSearchParams({ ...SPEC, ...next.policy.spec }).toString()
      const response = await fetch(`${platform.url}/v1/functions/${next.name}?${query}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'text/javascript' },
        body: CODE,
      })
      if (!response.ok)
        throw new Error(`the deploy of ${next.name} answered ${response.status}: ${await response.text()}`)
    }
  })
  await Promise.all(deploys)
}

/** As if the days before had been lived through. */
async function remember(redisUrl: string, apps: readonly LiveApp[]): Promise<void> {
  await using store = await openStore({ url: redisUrl })
  const texts = apps.flatMap(({ history }, app) =>
    LIVE_POLICIES.map((policy) => [parseFunctionName(nameOf(app, policy)), encodeHistory(history)] as const),
  )
  await store.histories.save(new Map(texts))
}

interface Hours {
  readonly apps: readonly LiveApp[]
  readonly clock: Clock
  readonly fromMs: number
  readonly untilMs: number
  readonly scale: number
}

/** On a platform that was just started. */
async function callAll(
  dir: string,
  redisUrl: string,
  hours: Hours,
): Promise<Omit<Measured, 'virtualColdShares' | 'virtualWasted'>> {
  const { apps, clock, fromMs, untilMs, scale } = hours
  await using platform = await openLive(dir, redisUrl, clock)
  const cold = new Map(LIVE_POLICIES.map(({ name }) => [name, apps.map(() => 0)]))
  const calls = apps.flatMap(({ unit: { starts, durationMs } }, app) =>
    LIVE_POLICIES.flatMap((policy) =>
      sentOf(starts, policy).map((at): Due => ({
        at,
        url: `${platform.url}/fn/${nameOf(app, policy)}?ms=${(durationMs / scale).toFixed(3)}`,
        onCold: () => void (cold.get(policy.name)![app]! += 1),
      })),
    ),
  )
  if (clock.now() > fromMs) throw new Error('the platform was expected to be up before the first hour')
  const memory = new Map(
    apps.flatMap(({ memoryMB }, app) =>
      LIVE_POLICIES.map((policy) => [nameOf(app, policy), { policy: policy.name, memoryMB }]),
    ),
  )
  await using loaded = new Loaded(platform.url, memory, clock)
  console.error(`live: ${calls.length} calls`)
  const sent = await sendAll(calls, clock, (percent) => {
    if (percent % 10 === 0) console.error(`live: ${percent} % of the calls are sent`)
  })
  const leftMs = untilMs - clock.now()
  if (leftMs > 0) await sleep(leftMs, new AbortController().signal, clock)
  return { coldShares: sharesOf(cold, apps), wasted: await loaded.stop(), ...sent }
}

function sharesOf(cold: ReadonlyMap<string, readonly number[]>, apps: readonly LiveApp[]): Map<string, number[]> {
  return new Map(
    LIVE_POLICIES.map((policy) => [
      policy.name,
      apps.map(({ unit: { starts } }, app) => cold.get(policy.name)![app]! / sentOf(starts, policy).length),
    ]),
  )
}

/** The same calls, and the same restart. */
function simulated(
  apps: readonly LiveApp[],
  atMs: number,
  untilMs: number,
): Pick<Measured, 'virtualColdShares' | 'virtualWasted'> {
  const virtualColdShares = new Map<string, number[]>()
  const virtualWasted = new Map<string, number>()
  for (const each of LIVE_POLICIES) {
    const replayed = apps.map(({ unit, history }) =>
      replayUnit({ ...unit, starts: sentOf(unit.starts, each) }, untilMs, each.policy, { history, atMs }),
    )
    virtualColdShares.set(
      each.name,
      replayed.map(({ cold, calls }) => cold / calls),
    )
    virtualWasted.set(
      each.name,
      replayed.reduce((sum, { idleMs }, app) => sum + idleMs * apps[app]!.memoryMB, 0),
    )
  }
  return { virtualColdShares, virtualWasted }
}
