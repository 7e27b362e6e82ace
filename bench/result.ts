// What a benchmark reports and how runs become one figure. Knows nothing of what is measured.
import { writeFile } from 'node:fs/promises'

import pc from 'picocolors'

export interface BenchResult {
  readonly name: string
  readonly unit: string
  /** Median of the runs. */
  readonly value: number
  /** Median of the baseline in the same rounds; absent where there is nothing to compare with. */
  readonly baseline: number | undefined
  /** Median of the ratios value ÷ baseline, round by round. */
  readonly ratio: number | undefined
  readonly runs: number
  /** The aim, as text for the table, and whether it is met. */
  readonly aim: string | undefined
  readonly met: boolean | undefined
}

export interface Aim {
  readonly of: 'value' | 'ratio'
  readonly least?: number
  readonly most?: number
}

/** The middle of the sorted values, the lower one of two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN
}

/** @param share in [0, 1] */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export interface About {
  readonly name: string
  readonly unit: string
  readonly aim?: Aim | undefined
  /** Rounds, where the one value was made of several. */
  readonly runs?: number
}

/** One figure from paired rounds: `values[i]` and `baselines[i]` were measured next to each other. */
export function summarize(about: About, values: readonly number[], baselines?: readonly number[]): BenchResult {
  const value = median(values)
  const ratio = baselines === undefined ? undefined : median(values.map((each, index) => each / baselines[index]!))
  const judged = about.aim?.of === 'ratio' ? ratio : value
  const { least, most } = about.aim ?? {}
  return {
    name: about.name,
    unit: about.unit,
    value,
    baseline: baselines === undefined ? undefined : median(baselines),
    ratio,
    runs: about.runs ?? values.length,
    aim: about.aim === undefined ? undefined : `${about.aim.of} ${least === undefined ? `≤ ${most}` : `≥ ${least}`}`,
    met:
      about.aim === undefined || judged === undefined
        ? undefined
        : judged >= (least ?? -Infinity) && judged <= (most ?? Infinity),
  }
}

/** A percentile of all rounds together, for those that one round has too few values for. */
export function summarizeAll(
  about: About,
  share: number,
  rounds: readonly (readonly number[])[],
  baselines?: readonly (readonly number[])[],
): BenchResult {
  const of = (each: readonly (readonly number[])[]): number[] => [percentile(each.flat(), share)]
  return summarize({ ...about, runs: rounds.length }, of(rounds), baselines === undefined ? undefined : of(baselines))
}

export function printTable(results: readonly BenchResult[]): void {
  const rows = results.map((result) => [
    result.name,
    `${shown(result.value)} ${result.unit}`,
    result.baseline === undefined ? '' : shown(result.baseline),
    result.ratio === undefined ? '' : result.ratio.toFixed(3),
    String(result.runs),
    result.aim ?? '',
    result.met === undefined ? '' : result.met ? 'met' : 'missed',
  ])
  const head = ['what', 'median', 'baseline', 'ratio', 'runs', 'aim', '']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
  console.log(pc.bold(line(head)))
  for (const row of rows) console.log(row.at(-1) === 'missed' ? pc.yellow(line(row)) : line(row))
}

/** `[{name, unit, value, baseline, ratio, runs}]`; what does not apply is null. */
export async function writeJson(path: string, results: readonly BenchResult[]): Promise<void> {
  const rows = results.map(({ name, unit, value, baseline, ratio, runs }) => ({
    name,
    unit,
    value,
    baseline: baseline ?? null,
    ratio: ratio ?? null,
    runs,
  }))
  await writeFile(path, `${JSON.stringify(rows, null, 2)}\n`)
}

function shown(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 10 ? 1 : 3)
}
