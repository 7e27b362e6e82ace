// What was accepted survives whatever dies: the process that accepted it, the one that runs it, and Redis.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

import { sleep } from '#core/clock'
import type { InvocationId } from '#core/ids'
import type { Claim } from '#core/queue'
import { parseRedisUrl } from '#store/connect'
import { openStore, type Store } from '#store/open'
import { startTestRedis, type TestRedis } from '#test/redis'

import { attempts, depthOf, eventually, NAME, sampleInvocation, sampleRecord } from './samples.ts'

const pause = (ms: number): Promise<void> => sleep(ms, AbortSignal.timeout(60_000))

/** What is acknowledged is in the file: by default the last second may not be, when the disk is busy. */
async function writeThrough(server: TestRedis): Promise<void> {
  const redis = new Redis(parseRedisUrl(server.url))
  await redis.config('SET', 'appendfsync', 'always')
  redis.disconnect()
}

/** Runs all there is, with records, as the consumer does; counts runs and remembers who was taken over. */
function serve(store: Store) {
  const runs = new Map<InvocationId, number>()
  const again = new Set<InvocationId>()
  const run = async (claim: Claim): Promise<void> => {
    const { id } = claim.invocation
    if (claim.takeovers > 0) again.add(id)
    runs.set(id, (runs.get(id) ?? 0) + 1)
    const record = sampleRecord({ id, trigger: 'async', state: 'succeeded', attempts: attempts(claim.attempt) })
    try {
      for (;;) {
        if (
          await store.records.save(record).then(
            () => true,
            () => false,
          )
        )
          break
        await pause(20)
      }
      await claim.complete()
    } catch {
      // The lease is lost: another one runs it.
    }
  }
  store.lanes.listen((name) => {
    void (async () => {
      for (let claim; (claim = await store.lanes.take(name).catch(() => undefined));) void run(claim)
    })()
  })
  return { runs, again }
}

test('nothing accepted is lost, doubled or left open when Redis is killed again and again under load', async () => {
  await using server = await startTestRedis()
  const settings = { leaseMs: 1_000, sweepMs: 100, flushMs: 5 }
  await using store = await openStore({ url: server.url, settings })
  const { runs, again } = serve(store)
  const accepted = new Set<InvocationId>()
  const stop = new AbortController()
  const accept = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const invocation = sampleInvocation()
      const { id } = invocation
      const saved = store.records.save(sampleRecord({ id, trigger: 'async', state: 'queued' }))
      const isAccepted = await Promise.all([saved, store.lanes.add(invocation)]).then(
        () => true,
        () => false,
      )
      if (isAccepted) accepted.add(id)
      await pause(2)
    }
  }
  const clients = Array.from({ length: 8 }, accept)
  for (let round = 0; round < 4; round++) {
    await writeThrough(server)
    await pause(50 + Math.random() * 200)
    await server.kill()
    await server.restart()
  }
  stop.abort()
  await Promise.all(clients)
  await eventually(async () => (await depthOf(store.lanes).catch(() => 1)) === 0)
  expect(accepted.size).toBeGreaterThan(50)
  for (const id of accepted) {
    expect(runs.get(id)).toBeGreaterThanOrEqual(1)
    if (runs.get(id)! > 1) expect(again).toContain(id)
    expect((await store.records.get(id))?.state).toBe('succeeded')
  }
  // Of what was refused a record may be left that says queued: whoever refuses puts it down (gateway/accept).
  const open = await store.records.list({ state: ['queued', 'running'], limit: 500 })
  expect(open.records.filter(({ id }) => accepted.has(id))).toEqual([])
})

test('what a process had accepted when it was killed is in its lane, whole and once, with its record', async () => {
  await using server = await startTestRedis()
  const script = join(import.meta.dirname, 'accept-process.ts')
  const accepted: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [script, server.url, 'hearth'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    await once(child.stdout, 'data')
    await pause(Math.random() * 150)
    child.kill('SIGKILL')
    await once(child, 'close')
    accepted.push(...output.split('\n').slice(0, -1))
  }
  await using store = await openStore({ url: server.url, settings: { sweepMs: 60_000 } })
  // The bell came with the jobs: it needs no sweep.
  const taken: string[] = []
  store.lanes.listen((name) => {
    void (async () => {
      for (let claim; (claim = await store.lanes.take(name)); await claim.complete()) {
        expect([10, 200_000]).toContain(claim.invocation.request.body.length)
        taken.push(claim.invocation.id)
      }
    })()
  })
  await eventually(async () => taken.length > 0 && (await depthOf(store.lanes)) === 0)
  expect(new Set(taken).size).toBe(taken.length)
  for (const id of accepted) expect(taken).toContain(id)
  for (const id of accepted) expect((await store.records.get(id as InvocationId))?.state).toBe('queued')
})

test('a body that a crash left beside no job is dropped, and one of a job is not', async () => {
  await using server = await startTestRedis()
  await using store = await openStore({ url: server.url, settings: { sweepMs: 50 } })
  const redis = new Redis(parseRedisUrl(server.url))
  const old = '01900000-0000-7000-8000-000000000000'
  await store.lanes.add(sampleInvocation({}, 'x'.repeat(200_000)))
  await redis.hset('hearth:{fn:hello}:bodies', { [old]: 'left', [`${old}:2`]: 'left by a retry' })
  store.lanes.listen(() => {})
  const claim = await eventually(() => store.lanes.take(NAME))
  await pause(200)
  expect(await redis.hlen('hearth:{fn:hello}:bodies')).toBe(3)
  await claim.complete()
  await eventually(async () => (await redis.exists('hearth:{fn:hello}:bodies')) === 0)
  redis.disconnect()
})
