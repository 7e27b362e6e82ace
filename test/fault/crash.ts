// The crash suite: rounds of load, a kill -9 somewhere in it, a recovery, and a verdict. START HERE.
//
// crash/plan.ts draws what happens in a round from the seed, crash/client.ts sends it, crash/light-world.ts and
// crash/serve-world.ts are what is killed, crash/verdict.ts says what was not kept. The same seed gives the same
// requests and the same blows; what they meet depends on the machine.
import { type InvocationId } from '#core/ids'
import type { InvocationRecord } from '#core/record'
import { systemClock } from '#core/clock'

import { accountsOf, pause, sendAll } from './crash/client.ts'
import { openLightWorld } from './crash/light-world.ts'
import { type Blow, planRound, type RoundPlan } from './crash/plan.ts'
import { openServeWorld } from './crash/serve-world.ts'
import { judge, type Verdict } from './crash/verdict.ts'
import type { Victim, World } from './crash/world.ts'

export interface RoundReport extends Verdict {
  readonly round: number
  readonly world: string
  readonly blows: readonly Blow[]
  /** Redis has lost what it had answered, as it may: the round proves nothing but that all came to rest. */
  readonly isVoid: boolean
  readonly ms: number
}

export interface Stage {
  readonly name: string
  readonly rounds: number
  /** Of its first round. */
  readonly first: number
  open(): Promise<World>
}

/** Nine of ten rounds in small processes, on a Redis that syncs its file every second or always; the rest in `hearth serve`. */
export function stagesOf(rounds: number): readonly Stage[] {
  const serve = Math.ceil(rounds / 10)
  const always = Math.floor((rounds - serve) / 2)
  const everysec = rounds - serve - always
  return [
    { name: 'everysec', rounds: everysec, first: 1, open: () => openLightWorld('everysec') },
    { name: 'always', rounds: always, first: 1 + everysec, open: () => openLightWorld('always') },
    { name: 'serve', rounds: serve, first: 1 + everysec + always, open: openServeWorld },
  ]
}

/** Calls `onRound` after each; ends with the first that was not kept. */
export async function runStage(
  stage: Stage,
  seed: number,
  onRound: (report: RoundReport) => void,
): Promise<readonly RoundReport[]> {
  await using world = await stage.open()
  const reports: RoundReport[] = []
  for (let round = stage.first; round < stage.first + stage.rounds; round++) {
    const report = await runRound(world, seed, round)
    reports.push(report)
    onRound(report)
    if (report.faults.length > 0) break
  }
  return reports
}

/** What a failure needs to be understood. */
export function describeFaults(reports: readonly RoundReport[], seed: number): string {
  return reports
    .filter(({ faults }) => faults.length > 0)
    .map((report) => {
      const head = `seed ${seed}, round ${report.round}, ${report.world}, blows ${JSON.stringify(report.blows)}`
      return [head, ...report.faults].join('\n  ')
    })
    .join('\n')
}

async function runRound(world: World, seed: number, round: number): Promise<RoundReport> {
  const began = systemClock.monotonic()
  const victims = [...world.victims.keys()]
  const plan = planRound({ seed, round, victims, fuses: world.hasIds })
  const accounts = accountsOf(plan.sendings)
  const since = systemClock.now()
  const losses = world.losses()
  using finals = watchFinals(world)
  const blows = byVictim(plan).map(([name, own]) => strike(victimOf(world, name), own))
  await Promise.all([sendAll(world, plan.sendings, accounts), ...blows])
  const stuck = await settled(world)
  const verdict = await judge(world, { accounts, since, firstFinal: finals.first })
  const isVoid = world.losses() > losses && world.mayLose
  const faults = [...(stuck === undefined ? [] : [stuck]), ...(isVoid ? [] : verdict.faults)]
  const log = faults.length > 0 ? [world.log().slice(-LOG_CHARS)] : []
  return {
    ...verdict,
    faults: [...faults, ...log],
    isVoid,
    round,
    world: world.name,
    blows: plan.blows,
    ms: systemClock.monotonic() - began,
  }
}

function byVictim({ blows }: RoundPlan): [string, Blow[]][] {
  return [...Map.groupBy(blows, ({ victim }) => victim)]
}

function victimOf(world: World, name: string): Victim {
  const victim = world.victims.get(name)
  if (victim === undefined) throw new Error(`there is no ${name}`)
  return victim
}

/** One after the other; each begins when the one before has been recovered from. */
async function strike(victim: Victim, blows: readonly Blow[]): Promise<void> {
  const began = systemClock.monotonic()
  for (const { fuse, atMs } of blows.toSorted((a, b) => a.atMs - b.atMs)) {
    if (fuse !== undefined) victim.arm?.(fuse)
    await pause(Math.max(0, atMs - (systemClock.monotonic() - began)))
    await victim.kill()
    await victim.revive()
  }
}

/** Of what the processes said, in the report of a failure. */
const LOG_CHARS = 2000
const SETTLE_MS = 180_000
const LOOK_MS = 50

/** Waits until nothing is in any lane; else says what still is. */
async function settled({ store }: World): Promise<string | undefined> {
  const until = systemClock.monotonic() + SETTLE_MS
  let left: ReadonlyMap<string, unknown> | undefined
  // Twice: the lanes are not looked at in one moment, and one may get from another what was just looked for.
  for (let empty = 0; empty < 2;) {
    if (systemClock.monotonic() > until) return `not at rest: ${JSON.stringify([...(left ?? [])])}`
    await pause(LOOK_MS)
    left = await store.lanes.states().catch(() => undefined)
    empty = left?.size === 0 ? empty + 1 : 0
  }
  return undefined
}

interface Finals extends Disposable {
  readonly first: ReadonlyMap<InvocationId, InvocationRecord>
}

/** Sees records as they become final: they must stay so. */
function watchFinals({ store }: World): Finals {
  const first = new Map<InvocationId, InvocationRecord>()
  const stop = new AbortController()
  const watch = async (): Promise<void> => {
    for await (const record of store.records.follow({}, stop.signal)) {
      const isFinal = record.state !== 'queued' && record.state !== 'running'
      if (isFinal && !first.has(record.id)) first.set(record.id, record)
    }
  }
  // It misses what happens while Redis is away, and need not see everything.
  void watch().catch(() => {})
  return { first, [Symbol.dispose]: () => stop.abort() }
}
