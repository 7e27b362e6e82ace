import { FlowProducer, Queue, Worker, type JobsOptions } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { bullmqSource } from '#gateway/sources/bullmq/source'
import { parseRedisUrl } from '#store/connect'
import { startTestRedis, type TestRedis } from '#test/redis'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

async function add(queue: Queue, names: readonly string[], options: JobsOptions = {}): Promise<void> {
  for (const name of names) await queue.add(name, name, options)
}

describe('a bullmq source', () => {
  let server: TestRedis
  let connection: Redis
  let resources: AsyncDisposableStack
  let count = 0

  beforeAll(async () => {
    server = await startTestRedis()
    connection = new Redis({ ...parseRedisUrl(server.url), maxRetriesPerRequest: null })
    resources = new AsyncDisposableStack()
  })
  afterAll(async () => {
    await resources[Symbol.asyncDispose]()
    connection.disconnect()
    await server[Symbol.asyncDispose]()
  })

  function newQueue(prefix?: string): Queue {
    const queue = new Queue(`queue-${count++}`, { connection, ...(prefix === undefined ? {} : { prefix }) })
    resources.defer(() => queue.close())
    return queue
  }

  const open = (queue: Queue, options: Readonly<Record<string, unknown>> = {}, given: Partial<TestContext> = {}) =>
    openSource(bullmqSource, { queue: queue.name, ...options }, { redisUrl: server.url, ...given })

  it('completes a job once it is taken over, and says who has it', async () => {
    const queue = newQueue('shop')
    await using opened = await open(queue, { prefix: 'shop' }, { trigger: 'mail' })
    const job = await queue.add('send', { to: 'ada' })
    await expect.poll(() => opened.texts, WAIT).toEqual(['{"to":"ada"}'])
    await expect.poll(() => job.getState(), WAIT).toBe('completed')
    expect((await queue.getJob(String(job.id)))?.returnvalue).toEqual({ trigger: 'mail' })
  })

  it.each([
    [true, {}, 0],
    [true, { removeOnComplete: false }, 1],
    [false, {}, 1],
    [false, { removeOnComplete: true }, 0],
  ])('with removeCompleted %s and the options %j of a job keeps %d', async (removeCompleted, options, kept) => {
    const queue = newQueue()
    await using opened = await open(queue, { removeCompleted })
    await add(queue, ['a'], options)
    await expect.poll(() => opened.texts, WAIT).toEqual(['"a"'])
    await expect.poll(() => queue.getJobCountByTypes('active', 'wait'), WAIT).toBe(0)
    expect(await queue.getCompletedCount()).toBe(kept)
  })

  it('holds no more than it has room for, and gives back what it holds, in order and without using an attempt', async () => {
    const queue = newQueue()
    await add(queue, ['1', '2', '3', '4'], { attempts: 1 })
    {
      await using opened = await open(queue, {}, { prefetch: 3, accept: noRoom })
      await expect.poll(() => opened.texts, WAIT).toEqual(['"1"', '"2"', '"3"'])
      expect(await queue.getActiveCount()).toBe(3)
      expect(await opened.source.lag?.()).toEqual({ events: 4, ms: expect.any(Number) })
    }
    expect(await queue.getActiveCount()).toBe(0)
    await using opened = await open(queue)
    await expect.poll(() => opened.texts, WAIT).toEqual(['"1"', '"2"', '"3"', '"4"'])
    expect(opened.received.map(({ redelivered }) => redelivered)).toEqual([true, true, true, false])
    await expect.poll(() => queue.getCompletedCount(), WAIT).toBe(4)
    await expect.poll(() => opened.source.lag?.(), WAIT).toEqual({ events: 0, ms: 0 })
  })

  it('closes at once while it waits for jobs', async () => {
    const opened = await open(newQueue())
    await new Promise((resolve) => setTimeout(resolve, 200))
    const before = performance.now()
    await opened[Symbol.asyncDispose]()
    // It would wait for 5 s.
    expect(performance.now() - before).toBeLessThan(4500)
  })

  it('renews its hold on jobs that wait for room', { timeout: 60_000 }, async () => {
    const queue = newQueue()
    await add(queue, ['1'])
    await using opened = await open(queue, {}, { accept: noRoom })
    await expect.poll(() => opened.texts, WAIT).toEqual(['"1"'])
    // Longer than a lock lasts.
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    expect(opened.texts).toEqual(['"1"'])
    expect(await connection.exists(queue.toKey('1:lock'))).toBe(1)
  })

  it('honours priorities, delays and a pause', async () => {
    const queue = newQueue()
    await queue.pause()
    await add(queue, ['late'], { delay: 500 })
    await add(queue, ['low'], { priority: 9 })
    await add(queue, ['high'], { priority: 1 })
    await using opened = await open(queue)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(opened.texts).toEqual([])
    await queue.resume()
    await expect.poll(() => opened.texts, WAIT).toHaveLength(3)
    expect(opened.texts.slice(0, 2).toSorted()).toEqual(['"high"', '"low"'])
    expect(opened.texts.indexOf('"high"')).toBeLessThan(opened.texts.indexOf('"low"'))
  })

  it('honours the rate limit of a queue without asking all the time', async () => {
    const queue = newQueue()
    await queue.setGlobalRateLimit(2, 1000)
    await add(queue, ['1', '2', '3'])
    const since = performance.now()
    await using opened = await open(queue)
    await expect.poll(() => opened.texts, WAIT).toEqual(['"1"', '"2"', '"3"'])
    expect(performance.now() - since).toBeGreaterThan(800)
  })

  it('shares a queue with other workers', async () => {
    const queue = newQueue()
    const others: string[] = []
    const worker = new Worker(queue.name, async (job) => void others.push(job.name), {
      connection: new Redis({ ...parseRedisUrl(server.url), maxRetriesPerRequest: null }),
    })
    resources.defer(async () => {
      await worker.close()
      ;(await worker.backend.client).disconnect()
    })
    await using opened = await open(queue)
    const names = Array.from({ length: 20 }, (_, index) => String(index))
    await add(queue, names)
    await expect.poll(() => others.length + opened.texts.length, WAIT).toBe(20)
  })

  it('lets a job fail of which BullMQ says that it must: a child of it has failed', async () => {
    const parents = newQueue()
    const children = newQueue()
    const flows = new FlowProducer({ connection })
    resources.defer(() => flows.close())
    const flow = await flows.add({
      name: 'parent',
      queueName: parents.name,
      children: [{ name: 'child', queueName: children.name, opts: { failParentOnFailure: true } }],
    })
    const worker = new Worker(children.name, () => Promise.reject(new Error('no')), {
      connection: new Redis({ ...parseRedisUrl(server.url), maxRetriesPerRequest: null }),
    })
    resources.defer(async () => {
      await worker.close()
      ;(await worker.backend.client).disconnect()
    })
    await using opened = await open(parents)
    await expect.poll(() => flow.job.getState(), WAIT).toBe('failed')
    expect(opened.texts).toEqual([])
  })

  it('ends when its Redis is gone', async () => {
    await using own = await startTestRedis()
    await using opened = await openSource(bullmqSource, { queue: 'mail', url: own.url })
    await own.kill()
    await expect(opened.source.ended).rejects.toThrow('the connection to Redis is lost')
  })
})
