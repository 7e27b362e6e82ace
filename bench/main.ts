// `npm run bench`: Hearth against plain baselines, in one run on one machine. Figures are ratios and medians.
import { cpus } from 'node:os'

import { optionsOf } from './command.ts'
import { type Options, readOptions, type SuiteName, USAGE } from './options.ts'
import { NO_LADDER, NO_STEM_CELLS, Platform, UNBOUNDED_MEMORY } from './platform.ts'
import { type BenchResult, printTable, writeJson } from './result.ts'
import { asyncSuite } from './suites/async.ts'
import { burst } from './suites/burst.ts'
import { cold } from './suites/cold.ts'
import { crowd } from './suites/crowd.ts'
import { density } from './suites/density.ts'
import { fairness } from './suites/fairness.ts'
import { starts } from './suites/starts.ts'
import { warm } from './suites/warm.ts'

type Suite = (options: Options) => Promise<readonly BenchResult[]>

const SUITES: Readonly<Record<SuiteName, Suite>> = {
  warm: on({}, warm),
  cold: on(NO_STEM_CELLS, cold),
  burst: on({ ...NO_STEM_CELLS, ...UNBOUNDED_MEMORY }, burst),
  starts: on({ ...NO_STEM_CELLS, ...NO_LADDER, ...UNBOUNDED_MEMORY }, starts),
  crowd: on(NO_STEM_CELLS, crowd),
  density,
  async: asyncSuite,
  fairness: on({}, fairness),
}

/** With a platform of its own. @param settings beside those of every benchmark */
function on(
  settings: Readonly<Record<string, string>>,
  suite: (platform: Platform, options: Options) => Promise<readonly BenchResult[]>,
): Suite {
  return async (options) => {
    await using platform = await Platform.start(settings)
    return await suite(platform, options)
  }
}

async function main(options: Options): Promise<void> {
  const results: BenchResult[] = []
  for (const suite of options.suites) results.push(...(await SUITES[suite](options)))
  console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
  printTable(results)
  if (options.json !== undefined) await writeJson(options.json, results)
}

await main(optionsOf(readOptions, USAGE))
