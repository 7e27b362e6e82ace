// A platform in this process whose pool goes by a clock of its own: everything else, HTTP, Redis, sandboxes, limits of
// calls, is as `hearth serve` has it and in real time.
import { join } from 'node:path'

import { machine } from '#cli/client'
import { createLog } from '#cli/serve/log'
import { openPlatform, type Platform } from '#cli/serve/platform'
import type { Clock } from '#core/clock'
import { readConfig } from '#core/config'

import { NO_LADDER, NO_STEM_CELLS, UNBOUNDED_MEMORY } from '../../platform.ts'

export const TOKEN = 'bench'

/** @param poolClock by which sandboxes are kept, end and are loaded ahead; absent: the usual one */
export function openLive(dataDir: string, redisUrl: string, poolClock?: Clock): Promise<Platform> {
  const env = {
    ...NO_STEM_CELLS,
    ...NO_LADDER,
    ...UNBOUNDED_MEMORY,
    HEARTH_PORT: '0',
    HEARTH_DATA_DIR: dataDir,
    HEARTH_CACHE_DIR: join(dataDir, 'cache'),
    HEARTH_REDIS_URL: redisUrl,
    HEARTH_LOG_LEVEL: 'warn',
    HEARTH_SYNC_RECORDS_PER_S: '0',
    // By the pool's clock.
    HEARTH_MAX_WAIT_MS: '3600000',
  }
  const config = readConfig(env, machine(env))
  const signal = new AbortController().signal
  const context = { config, log: createLog(config), onProgress: () => {}, signal }
  return openPlatform(poolClock === undefined ? context : { ...context, poolClock }, TOKEN)
}
