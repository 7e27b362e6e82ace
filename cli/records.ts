// Reads the records of invocations from the API.
import { sleep } from '#core/clock'
import type { InvocationRecord } from '#core/record'

import type { Client } from './client.ts'
import type { Terminal } from './terminal.ts'

const POLL_MS = 200

/** @param withInput also what it was called with */
export async function recordOf(client: Client, id: string, withInput = false): Promise<InvocationRecord> {
  const response = await client.call(`/v1/invocations/${encodeURIComponent(id)}${withInput ? '?input=true' : ''}`)
  return (await response.json()) as InvocationRecord
}

/** Polls until the invocation has ended, or Ctrl-C. */
export async function waitForRecord(client: Client, id: string, terminal: Terminal): Promise<InvocationRecord> {
  for (;;) {
    const record = await recordOf(client, id)
    if (record.state !== 'queued' && record.state !== 'running') return record
    await sleep(POLL_MS, terminal.signal)
  }
}
