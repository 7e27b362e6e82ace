// The `npm run test:crash` command: `-- --rounds 200 [--seed N]`, for as many rounds as there is time for.
import { parseArgs } from 'node:util'

import { systemClock } from '#core/clock'

import { describeFaults, type RoundReport, runStage, stagesOf } from '../crash.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(systemClock.now() % 1_000_000) },
    /** Only this one: everysec, always or serve. */
    stage: { type: 'string' },
  },
})
const seed = Number(values.seed)
const began = systemClock.monotonic()
console.log(`seed ${seed}`)
const reports: RoundReport[] = []
for (const stage of stagesOf(Number(values.rounds))) {
  if (values.stage === undefined || values.stage === stage.name) {
    reports.push(...(await runStage(stage, seed, tell)))
  }
}
console.log(totalOf(reports))
process.exit(reports.some(({ faults }) => faults.length > 0) ? 1 : 0)

function tell(report: RoundReport): void {
  console.log(lineOf(report))
  if (report.faults.length > 0) console.log(describeFaults([report], seed))
}

function lineOf(report: RoundReport): string {
  const { round, blows, ms, faults } = report
  const how = blows.map(({ victim, fuse }) =>
    fuse === undefined ? victim : `${victim} ${fuse.side} ${fuse.step} ${fuse.count}`,
  )
  const kept = report.isVoid ? 'void' : 'kept'
  const verdict = faults.length === 0 ? kept : `${faults.length} FAULTS`
  return `round ${round}: ${how.join(', ')}: ${verdict}, ${figures(report)}, ${(ms / 1000).toFixed(1)} s`
}

function totalOf(all: readonly RoundReport[]): string {
  const sum = (pick: (report: RoundReport) => number): number => all.reduce((total, each) => total + pick(each), 0)
  const total = {
    accepted: sum((each) => each.accepted),
    runs: sum((each) => each.runs),
    retried: sum((each) => each.retried),
    redelivered: sum((each) => each.redelivered),
    cancelled: sum((each) => each.cancelled),
    expired: sum((each) => each.expired),
    deadLetters: sum((each) => each.deadLetters),
    deliveries: sum((each) => each.deliveries),
    orphans: sum((each) => each.orphans),
  }
  const faults = sum((each) => each.faults.length)
  const seconds = Math.round((systemClock.monotonic() - began) / 1000)
  const voids = sum((each) => Number(each.isVoid))
  return `${all.length} rounds (${voids} void), seed ${seed}, ${faults} faults, ${figures(total)}, ${seconds} s`
}

function figures(of: Omit<RoundReport, 'faults' | 'round' | 'world' | 'blows' | 'isVoid' | 'ms'>): string {
  return [
    `${of.accepted} accepted`,
    `${of.runs} runs`,
    `${of.retried} retried`,
    `${of.redelivered} redelivered`,
    `${of.cancelled} cancelled`,
    `${of.expired} expired`,
    `${of.deadLetters} dead letters`,
    `${of.deliveries} told`,
    `${of.orphans} never accepted`,
  ].join(', ')
}
