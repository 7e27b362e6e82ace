// Sends many commands to Redis together.
import type { ChainableCommander } from 'ioredis'

import { PlatformError } from '#core/errors'

import { storeError } from './connect.ts'

/** @throws PlatformError for the first command that failed */
export async function run(pipeline: ChainableCommander): Promise<unknown[]> {
  if (pipeline.length === 0) return []
  const replies = await pipeline.exec().catch((error) => {
    throw storeError(error)
  })
  if (replies === null) throw new PlatformError('internal', { detail: 'Redis dropped a transaction of Hearth' })
  return replies.map(([error, reply]) => {
    if (error) throw storeError(error)
    return reply
  })
}
