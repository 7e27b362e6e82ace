// Where cold starts and wasted memory-time come from: by how calls follow each other and how frequent they are.
import type { Totals } from './compare.ts'
import type { App } from './generate.ts'

/** Upper ends, calls a day. */
const RATES = [
  [1, '< 1/day'],
  [6, '< 6/day'],
  [24, '< 24/day'],
  [1440, '< 1/min'],
  [Infinity, '≥ 1/min'],
] as const

export interface Row {
  readonly kind: string
  readonly rate: string
  readonly apps: number
  /** Mean over the apps, in [0, 1]: the share that no policy can avoid, and that of each policy. */
  readonly firstCalls: number
  readonly learned: number
  readonly fixed: number
  /** Share of all wasted memory-time. */
  readonly learnedWaste: number
  readonly fixedWaste: number
}

export function profile(apps: readonly App[], learned: Totals, fixed: Totals): readonly Row[] {
  const groups = Map.groupBy(apps.keys(), (index) => `${apps[index]!.kind}, ${rateOf(apps[index]!)}`)
  const order = RATES.map(([, name]) => name as string)
  return [...groups]
    .map(([name, indices]) => {
      const [kind = '', rate = ''] = name.split(', ')
      const mean = (of: (index: number) => number): number =>
        indices.reduce((sum, index) => sum + of(index), 0) / indices.length
      const waste = (totals: Totals): number =>
        (mean((index) => (totals.apps[index]!.idleMs / 3_600_000) * apps[index]!.memoryMB) * indices.length) /
        totals.wasted
      return {
        kind,
        rate,
        apps: indices.length,
        firstCalls: mean((index) => apps[index]!.units.length / learned.apps[index]!.calls),
        learned: mean((index) => learned.coldShares[index]!),
        fixed: mean((index) => fixed.coldShares[index]!),
        learnedWaste: waste(learned),
        fixedWaste: waste(fixed),
      }
    })
    .toSorted((a, b) => a.kind.localeCompare(b.kind) || order.indexOf(a.rate) - order.indexOf(b.rate))
}

export function printProfile(rows: readonly Row[]): void {
  console.log('First trace: mean cold-start share of the apps, and share of the wasted memory-time')
  console.table(
    rows.map((row) => ({
      calls: `${row.kind} ${row.rate}`,
      apps: row.apps,
      'first calls': share(row.firstCalls),
      'cold, learned': share(row.learned),
      'cold, equal fixed': share(row.fixed),
      'waste, learned': share(row.learnedWaste),
      'waste, equal fixed': share(row.fixedWaste),
    })),
  )
}

function share(value: number): string {
  return `${(100 * value).toFixed(1)} %`
}

function rateOf(app: App): string {
  return RATES.find(([end]) => app.callsPerDay < end)![1]
}
