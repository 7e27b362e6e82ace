// The contract suite of event sources: every pull source must pass it on its real broker. What it cannot pass is skipped
// with a reason.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { SourceKind } from '#core/trigger'
import { startTestRedis, type TestRedis } from '#test/redis'

import { type Run, TriggerHouse } from './trigger-house.ts'

/** A real broker on a free port, with files of its own. */
export interface TestBroker extends AsyncDisposable {
  /** The `source` of a trigger that receives what no other test sends; made at the broker unless the source makes it. */
  options(test: string): Promise<Readonly<Record<string, unknown>>>
  /** Sends messages, in order; resolves when the broker has them. */
  publish(options: Readonly<Record<string, unknown>>, texts: readonly string[]): Promise<void>
  /** Messages that are not acknowledged, handed out or not. */
  left(options: Readonly<Record<string, unknown>>): Promise<number>
  /** As `kill -9` of the broker, and started again on the same address and files. */
  restart(): Promise<void>
}

export interface SourceUnderTest {
  readonly kind: SourceKind
  start(redis: TestRedis): Promise<TestBroker>
  /** Whether it gives events stable keys: a redelivery after a crash then does not run twice. */
  readonly keyed: boolean
  readonly skip: readonly { readonly reason: string; readonly tests: readonly ContractTest[] }[]
}

interface World {
  readonly house: TriggerHouse
  readonly broker: TestBroker
  readonly source: Readonly<Record<string, unknown>>
  readonly kind: SourceKind
  readonly keyed: boolean
  /** Starts a process that dies when it queues an event, and waits for its end. */
  crash(moment: 'before' | 'after', meanwhile: () => Promise<void>): Promise<void>
}

const NAME = 'under-test'
const WAIT = { timeout: 30_000, interval: 50 }

function put({ house, kind, source }: World, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
  return house.put(NAME, { kind, source, retry: { delayMs: 50, maxAttempts: 2 }, ...spec })
}

function publish({ broker, source }: World, texts: readonly string[]): Promise<void> {
  return broker.publish(source, texts)
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${index}}`)
}

async function listening({ house }: World): Promise<void> {
  await expect.poll(async () => (await house.status(NAME))?.state, WAIT).toBe('listening')
}

async function allAcknowledged({ broker, source }: World): Promise<void> {
  await expect.poll(() => broker.left(source), WAIT).toBe(0)
}

const TESTS = {
  'an event wakes a function that has no sandbox, and is acknowledged': async (world: World) => {
    await put(world)
    await listening(world)
    expect(world.house.driver.sandboxes.size).toBe(0)
    await publish(world, ['{"hello":"world"}'])
    await expect.poll(() => world.house.texts, WAIT).toEqual(['{"hello":"world"}'])
    const [run] = world.house.runs
    expect(run?.events[0]?.attributes).toMatchObject({
      id: expect.stringMatching(/./),
      source: expect.stringMatching(/./),
      type: expect.stringMatching(/./),
    })
    await allAcknowledged(world)
    await expect
      .poll(() => world.house.status(NAME), WAIT)
      .toMatchObject({ received: 1, matched: 1, invocations: 1, redelivered: 0 })
  },

  'events that were there before the trigger was made, or while it was disabled, arrive': async (world: World) => {
    await put(world)
    await listening(world)
    await put(world, { enabled: false })
    await publish(world, numbered(3))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(world.house.runs).toEqual([])
    await put(world, { enabled: true })
    await expect.poll(() => world.house.texts.toSorted(), WAIT).toEqual(numbered(3))
  },

  'with a concurrency of 1 events run one after the other, in the order of the broker, retries included': async (
    world: World,
  ) => {
    let running = 0
    const done: string[] = []
    world.house.behaviour = async ({ texts, attempt }: Run) => {
      running += 1
      expect(running).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running -= 1
      if (texts[0] === '{"n":3}' && attempt === 1) throw new Error('once')
      done.push(...texts)
    }
    await put(world, { concurrency: 1 })
    await listening(world)
    await publish(world, numbered(12))
    await expect.poll(() => done, WAIT).toEqual(numbered(12))
  },

  'events that do not match the filter are acknowledged and not run': async (world: World) => {
    await put(world, { filter: { 'data.n': { numeric: { gte: 7 } } } })
    await listening(world)
    await publish(world, numbered(10))
    await expect.poll(() => world.house.texts.toSorted(), WAIT).toEqual(numbered(10).slice(7))
    await allAcknowledged(world)
    await expect.poll(() => world.house.status(NAME), WAIT).toMatchObject({ received: 10, matched: 3, invocations: 3 })
  },

  'a batch has at most batchSize events, and fewer once the window is over': async (world: World) => {
    await put(world, { batchSize: 5, batchWindowMs: 400 })
    await listening(world)
    await publish(world, numbered(12))
    await expect.poll(() => world.house.texts.toSorted(), WAIT).toEqual(numbered(12).toSorted())
    const sizes = world.house.runs.map(({ texts }) => texts.length)
    expect(Math.max(...sizes)).toBe(5)
    await allAcknowledged(world)
  },

  'a slow function does not pull the broker dry': async (world: World) => {
    const release = Promise.withResolvers<void>()
    world.house.behaviour = () => release.promise
    await put(world, { concurrency: 3 })
    await listening(world)
    await publish(world, numbered(40))
    await expect.poll(() => world.house.runs.length, WAIT).toBe(3)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(world.house.runs).toHaveLength(3)
    // Three are acknowledged, for they are in the lane; three more at most are with the source.
    expect(await world.broker.left(world.source)).toBeGreaterThanOrEqual(37)
    expect(await world.house.status(NAME)).toMatchObject({ invocations: 3 })
    release.resolve()
    await expect.poll(() => new Set(world.house.texts).size, WAIT).toBe(40)
    await allAcknowledged(world)
  },

  'an event that always fails goes to the dead letters, and those behind it run': async (world: World) => {
    world.house.behaviour = ({ texts }) => {
      if (texts[0] === '{"n":0}') throw new Error('poison')
    }
    await put(world, { concurrency: 1 })
    await listening(world)
    await publish(world, numbered(3))
    await expect.poll(() => world.house.deadLetters(), WAIT).toEqual(['{"n":0}'])
    await expect.poll(() => world.house.texts.slice(-2), WAIT).toEqual(['{"n":1}', '{"n":2}'])
    await allAcknowledged(world)
    await expect.poll(() => world.house.status(NAME), WAIT).toMatchObject({ failed: 1 })
  },

  'an event is not lost when the process is killed before it is queued': async (world: World) => {
    await put(world, { enabled: false })
    await crashWhileQueueing(world, 'before')
    await expect.poll(() => world.house.texts, WAIT).toEqual(['{"n":0}'])
    await allAcknowledged(world)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(world.house.texts).toEqual(['{"n":0}'])
  },

  'an event that was queued before the process was killed is counted as redelivered, and runs once if it has a key':
    async (world: World) => {
      await put(world, { enabled: false })
      await crashWhileQueueing(world, 'after')
      await allAcknowledged(world)
      await expect.poll(async () => (await world.house.status(NAME))?.redelivered, WAIT).toBeGreaterThanOrEqual(1)
      await expect.poll(() => world.house.texts.length, WAIT).toBe(world.keyed ? 1 : 2)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(world.house.texts).toHaveLength(world.keyed ? 1 : 2)
    },

  'it goes on after the broker was killed and started again': async (world: World) => {
    await put(world)
    await listening(world)
    await publish(world, ['{"n":0}'])
    await expect.poll(() => world.house.texts, WAIT).toEqual(['{"n":0}'])
    await allAcknowledged(world)
    await world.broker.restart()
    await publish(world, ['{"n":1}'])
    await expect.poll(() => new Set(world.house.texts), WAIT).toEqual(new Set(numbered(2)))
    await listening(world)
  },

  'the status tells how many events wait at the broker': async (world: World) => {
    const release = Promise.withResolvers<void>()
    world.house.behaviour = () => release.promise
    await put(world, { concurrency: 1 })
    await listening(world)
    await publish(world, numbered(10))
    await expect.poll(async () => (await world.house.status(NAME))?.lag, WAIT).toBeGreaterThanOrEqual(8)
    release.resolve()
    await expect.poll(() => world.house.texts.length, WAIT).toBe(10)
    await expect.poll(async () => (await world.house.status(NAME))?.lag, WAIT).toBe(0)
  },
}

export type ContractTest = keyof typeof TESTS

/** The house gets the trigger only when the other process has died with it. */
async function crashWhileQueueing(world: World, moment: 'before' | 'after'): Promise<void> {
  const { house } = world
  await house.triggers[Symbol.asyncDispose]()
  await put(world, { enabled: true })
  await world.crash(moment, () => publish(world, ['{"n":0}']))
  await house.reopenTriggers()
}

export function describeEventSource(subject: SourceUnderTest): void {
  describe(`${subject.kind} source`, () => {
    let redis: TestRedis
    let broker: TestBroker
    beforeAll(async () => {
      redis = await startTestRedis()
      broker = await subject.start(redis)
    })
    afterAll(async () => {
      await broker[Symbol.asyncDispose]()
      await redis[Symbol.asyncDispose]()
    })

    let count = 0
    for (const [title, body] of Object.entries(TESTS)) {
      const skip = subject.skip.find(({ tests }) => tests.includes(title as ContractTest))
      const prefix = `contract-${count++}`
      if (skip !== undefined) {
        test.skip(`${title} (not here: ${skip.reason})`, () => undefined)
        continue
      }
      test(title, { timeout: 90_000 }, async () => {
        await using house = await TriggerHouse.open(redis.url, prefix)
        const source = await broker.options(prefix)
        const crash: World['crash'] = (moment, meanwhile) => die({ redisUrl: redis.url, prefix, moment }, meanwhile)
        await body({ house, broker, source, kind: subject.kind, keyed: subject.keyed, crash })
      })
    }
  })
}

interface Death {
  readonly redisUrl: string
  readonly prefix: string
  readonly moment: 'before' | 'after'
}

async function die({ redisUrl, prefix, moment }: Death, meanwhile: () => Promise<void>): Promise<void> {
  const script = new URL('event-source-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script, redisUrl, prefix, moment], { stdio: ['ignore', 'inherit', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    await meanwhile()
    const [, signal] = (await Promise.race([exited, failAfter(60_000)])) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')
  } finally {
    child.kill('SIGKILL')
  }
}

function failAfter(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`the process did not die within ${ms} ms`)), ms).unref()
  })
}
