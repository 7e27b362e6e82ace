// `npm run bench`: Hearth against plain baselines, in one run on one machine. Figures are ratios and medians.
import { cpus } from 'node:os'

import { optionsOf } from './command.ts'
import { type Options, readOptions, type SuiteName, USAGE } from './options.ts'
import { Platform } from './platform.ts'
import { type BenchResult, printTable, writeJson } from './result.ts'
import { asyncSuite } from './suites/async.ts'
import { cold } from './suites/cold.ts'
import { warm } from './suites/warm.ts'

const SUITES: Readonly<Record<SuiteName, (platform: Platform, options: Options) => Promise<readonly BenchResult[]>>> = {
  warm,
  cold,
  async: asyncSuite,
}

/** Beside those of every benchmark. */
const SETTINGS: Partial<Record<SuiteName, Record<string, string>>> = { cold: { HEARTH_STEM_CELLS: 'off' } }

async function main(options: Options): Promise<void> {
  const results: BenchResult[] = []
  for (const suite of options.suites) {
    await using platform = await Platform.start(SETTINGS[suite])
    results.push(...(await SUITES[suite](platform, options)))
  }
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
  printTable(results)
  if (options.json !== undefined) await writeJson(options.json, results)
}

await main(optionsOf(readOptions, USAGE))
