// How many sandboxes a second the platform starts when it is asked for many of one function: by minSandboxes, so that
// nothing but starting is measured. The baseline are plain `node` processes, as many at a time as the platform starts.
import { setTimeout as sleep } from 'node:timers/promises'

import { BENCH_FUNCTIONS, type BenchFunction, deployAll } from '../functions.ts'
import type { Options } from '../options.ts'
import { plainFirstAnswer } from '../plain.ts'
import type { Platform } from '../platform.ts'
import { type BenchResult, summarize } from '../result.ts'

const SANDBOXES = 40
/** What the platform starts at the same time (invoker/local-invoker.ts). */
const PARALLEL = 4
const QUIET_MS = 500
const LIMIT_MS = 120_000
const POLL_MS = 5
const MEASURED = BENCH_FUNCTIONS.filter(({ name }) => name !== 'js-warm')

/** @param platform without generic sandboxes, and with room for all */
export async function starts(platform: Platform, { runs }: Options): Promise<readonly BenchResult[]> {
  const chosen = await deployAll(platform, { maxSandboxes: String(SANDBOXES) }, MEASURED)
  const rates = new Map(chosen.map(({ name }) => [name, [] as number[]]))
  const plain: number[] = []
  for (let round = 0; round < runs; round++) {
    plain.push(await plainRate())
    for (const each of chosen) rates.get(each.name)!.push(await rateOf(platform, each))
    console.error(`starts: round ${round + 1} of ${runs}, ${SANDBOXES} sandboxes each`)
  }
  return chosen.map(({ name, driver }) =>
    summarize({ name: `starts ${name} (${driver}): sandboxes`, unit: '/s' }, rates.get(name)!, plain),
  )
}

async function rateOf(platform: Platform, of: BenchFunction): Promise<number> {
  const asked = { ...of.spec, maxSandboxes: String(SANDBOXES), minSandboxes: String(SANDBOXES) }
  await platform.allScaledToZero()
  await sleep(QUIET_MS)
  const deploying = platform.deploy(of.name, of.type, await of.code(), asked)
  const rate = await watch(platform, of.name)
  await deploying
  await platform.remove(of.name)
  return rate
}

/** From when the platform begins to when all are there: the build before does not count. */
async function watch(platform: Platform, name: string): Promise<number> {
  const deadline = performance.now() + LIMIT_MS
  let began: { readonly at: number; readonly idle: number } | undefined
  while (performance.now() < deadline) {
    // Absent until the first round has deployed it again.
    const { starting = 0, idle = 0 } = (await platform.view(name).catch(() => undefined))?.sandboxes ?? {}
    const now = performance.now()
    if (starting + idle > 0) began ??= { at: now, idle }
    if (began !== undefined && idle >= SANDBOXES) return ((idle - began.idle) / (now - began.at)) * 1000
    await sleep(POLL_MS)
  }
  throw new Error(`${SANDBOXES} sandboxes of ${name} were expected within ${LIMIT_MS} ms`)
}

async function plainRate(): Promise<number> {
  let left = SANDBOXES
  const from = performance.now()
  const starters = Array.from({ length: PARALLEL }, async () => {
    while (left-- > 0) await plainFirstAnswer()
  })
  await Promise.all(starters)
  return (SANDBOXES / (performance.now() - from)) * 1000
}
