// A gateway that listens, on parts in memory.
import { systemClock } from '#core/clock'
import type { Clock } from '#core/clock'
import type { Gateway, GatewayOptions } from '#gateway/gateway'
import { createGateway } from '#gateway/server'

import { MemoryDeadLetters, MemoryIdempotency } from './memory-keys.ts'
import { MemoryTriggers } from './memory-triggers.ts'
import { CopyBuilder, MemoryBlobs, MemoryFunctions, MemoryLanes, MemoryRecords, ScriptedInvoker } from './memory.ts'

export const TOKEN = 'test-token'
export const AUTH = { authorization: `Bearer ${TOKEN}` }
const JAVASCRIPT = 'export default { fetch: () => new Response("hello") }'

export const OPTIONS: GatewayOptions = {
  adminToken: TOKEN,
  maxHeaders: 256,
  maxHeaderBytes: 65_536,
  maxBodyBytes: 1024 * 1024,
  maxAsyncBodyBytes: 64 * 1024,
  maxResultBytes: 64 * 1024,
  maxBatch: 100,
  maxUploadBytes: 1024 * 1024,
  syncRecordsPerS: 100,
  drainMs: 2000,
  trustProxy: false,
}

export interface Started extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly gateway: Gateway
  readonly functions: MemoryFunctions
  readonly builder: CopyBuilder
  readonly invoker: ScriptedInvoker
  readonly records: MemoryRecords
  readonly lanes: MemoryLanes
  readonly deadLetters: MemoryDeadLetters
  readonly idempotency: MemoryIdempotency
  readonly triggers: MemoryTriggers
  /** What onFault was told. */
  readonly faults: unknown[]
  /** What the store's ping does. */
  readonly store: { ping: () => Promise<void> }
  deploy(name: string, query?: string): Promise<void>
}

export async function startGateway(
  options: Partial<GatewayOptions> = {},
  clock: Clock = systemClock,
): Promise<Started> {
  const parts = {
    functions: new MemoryFunctions(),
    builder: new CopyBuilder(),
    invoker: new ScriptedInvoker(),
    records: new MemoryRecords(),
    lanes: new MemoryLanes(),
    deadLetters: new MemoryDeadLetters(),
    idempotency: new MemoryIdempotency(),
    triggers: new MemoryTriggers(),
  }
  const faults: unknown[] = []
  const store = { ping: async () => {} }
  const gateway = await createGateway(
    {
      ...parts,
      blobs: new MemoryBlobs(),
      redisUrl: '',
      instance: 'test',
      clock,
      ping: () => store.ping(),
      onFault: (error) => faults.push(error),
    },
    { ...OPTIONS, ...options },
  )
  const { url, port } = await gateway.listen({ host: '127.0.0.1', port: 0 })
  return {
    ...parts,
    url,
    port,
    gateway,
    faults,
    store,
    async deploy(name, query = '') {
      const headers = { ...AUTH, 'content-type': 'text/javascript' }
      const response = await fetch(`${url}/v1/functions/${name}${query}`, { method: 'PUT', headers, body: JAVASCRIPT })
      if (!response.ok) throw new Error(await response.text())
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}
