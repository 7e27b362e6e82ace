// A process that finds a Redis, says where, and waits to be killed: `node owner-process.ts <data dir> <cache dir>`.
import { argv } from 'node:process'

import { findRedis } from '#store/server/find'

const [, , dataDir = '', cacheDir = ''] = argv
const onProgress = (message: string): void => void process.stderr.write(`${message}\n`)
const redis = await findRedis({ dataDir, cacheDir, onProgress, signal: AbortSignal.timeout(30_000) })
process.stdout.write(`${redis.url}\n`)
// Should the test die first.
process.stdin.on('end', () => process.exit()).resume()
