// An existing BullMQ queue: jobs are fetched by hand, renewed while they wait here, and completed once they are in the
// lane. At least once; in the order of the queue.
import type { Job, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'

import { sleep } from '#core/clock'

import { Held } from '../held.ts'
import { connectTo } from '../redis-stream/connection.ts'
import { goodbye, Settling } from '../settling.ts'
import type { Lag, OpenSource, PullSource, SourceContext } from '../source.ts'
import { receivedOf } from './message.ts'
import { checkOptions, FIELDS, type BullmqOptions } from './options.ts'

/** Of a job whose process has died: after this, and two checks, it is handed out again. */
const LOCK_MS = 10_000
const CHECK_MS = 4000
/** The connection that waits does so for 10 s at most. */
const COMMAND_MS = 20_000
/** BullMQ's scripts say with these that the job is no longer ours: gone, unlocked, elsewhere, another's. */
const LOST_CODES: readonly number[] = [-1, -2, -3, -6]
/** After an answer without a job: the queue is empty, or must rest because of its rate limit. */
const PAUSE_MS = 50

export const bullmqSource: PullSource<typeof FIELDS> = {
  kind: 'bullmq',
  delivery: 'pull',
  fields: FIELDS,
  check: checkOptions,
  open,
}

type Context = SourceContext<BullmqOptions>

async function open(context: Context): Promise<OpenSource> {
  const { clock } = context
  await using opening = new AsyncDisposableStack()
  const redis = await connectTo(context, COMMAND_MS)
  opening.defer(() => goodbye(redis.quit(), clock).finally(() => redis.disconnect()))
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => {})
  redis.once('end', () => lost.reject(new Error('the connection to Redis is lost')))
  const { queue, worker } = await openQueue(context, redis)
  opening.defer(() => queue.close())
  const receiver = new Receiver(context, worker, lost.reject)
  const reading = receiver.read()
  reading.catch(lost.reject)
  opening.defer(async () => {
    receiver.stop()
    // It may be waiting for jobs, on a connection of its own; this one it leaves alone.
    await goodbye(worker.close(true), clock)
    await reading.catch(() => {})
    await goodbye(receiver.putBack(), clock)
  })
  opening.use(clock.every(LOCK_MS / 3, () => void receiver.renew()))
  const opened = opening.move()
  return {
    lag: () => lagOf(queue, clock.now()),
    ended: lost.promise,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function openQueue(
  { trigger, options }: Context,
  connection: Redis,
): Promise<{ readonly queue: Queue; readonly worker: Worker }> {
  const bullmq = await import('bullmq')
  const { prefix, removeCompleted } = options
  const worker = new bullmq.Worker(options.queue, null, {
    connection,
    prefix,
    autorun: false,
    name: `hearth-${trigger}`,
    lockDuration: LOCK_MS,
    stalledInterval: CHECK_MS,
    // A crash of ours is no reason to give a job up: what it does to its function is counted there.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    ...(removeCompleted ? { removeOnComplete: { count: 0 } } : {}),
  })
  const queue = new bullmq.Queue(options.queue, { connection, prefix, skipMetasUpdate: true })
  // They repeat the errors of the connections, and without a listener the repetition would end the process.
  worker.on('error', () => {})
  queue.on('error', () => {})
  try {
    await worker.waitUntilReady()
    await worker.startStalledCheckTimer()
    return { queue, worker }
  } catch (error) {
    await worker.close(true)
    throw error
  }
}

/** What is delayed is not due, and does not wait. */
async function lagOf(queue: Queue, now: number): Promise<Lag> {
  const [counts, oldest] = await Promise.all([
    queue.getJobCounts('wait', 'prioritized', 'active'),
    queue.getJobs(['wait', 'prioritized', 'active'], 0, 0, true),
  ])
  const events = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const since = Math.min(...oldest.filter(Boolean).map(({ timestamp }) => timestamp))
  return { events, ms: Number.isFinite(since) ? Math.max(0, now - since) : 0 }
}

interface HeldJob {
  readonly job: Job<unknown>
  readonly token: string
}

class Receiver {
  readonly #context: Context
  readonly #worker: Worker
  /** What was not completed comes again, once its lock is over. */
  readonly #onFault: (error: unknown) => void
  readonly #held: Held<HeldJob>
  readonly #settling: Settling
  readonly #stopped = new AbortController()

  constructor(context: Context, worker: Worker, onFault: (error: unknown) => void) {
    this.#context = context
    this.#worker = worker
    this.#onFault = onFault
    this.#held = new Held(context.prefetch)
    this.#settling = new Settling(context)
  }

  /** Until stopped. @throws Error when no more jobs can be fetched */
  async read(): Promise<void> {
    for (let count = 0; (await this.#held.roomFree()) > 0; count++) {
      const token = `${this.#worker.id}:${count}`
      const job = (await this.#worker.getNextJob(token)) as Job<unknown> | undefined
      if (job === undefined) await sleep(PAUSE_MS, this.#stopped.signal, this.#context.clock).catch(() => {})
      else await this.#take(job, token)
    }
  }

  stop(): void {
    this.#held.close()
    this.#stopped.abort(new Error('the source is closed'))
  }

  /** So that others can have them at once: the last first, for each goes to the head of the queue. */
  async putBack(): Promise<void> {
    await this.#settling.whenStopped()
    for (const { job, token } of this.#held.all().toReversed()) await job.moveToWait(token)
  }

  async renew(): Promise<void> {
    const held = this.#held.all()
    if (held.length === 0) return
    const ids = held.map(({ job }) => job.id ?? '')
    const tokens = held.map(({ token }) => token)
    // Of one that was lost the completion fails, and it is known when it comes again.
    await this.#worker.extendJobLocks(ids, tokens, LOCK_MS).catch(this.#onFault)
  }

  async #take(job: Job<unknown>, token: string): Promise<void> {
    const { deferredFailure } = job
    if (deferredFailure !== undefined && deferredFailure !== '') {
      // Somebody decided meanwhile that it is to fail: a child of it has.
      await failForGood(job, token, deferredFailure)
      return
    }
    const held = { job, token }
    // One whose lock was lost may come again while it is held.
    this.#held.take(token, held)
    this.#settling.handOver(receivedOf(job, this.#context.options.queue), { acknowledge: () => this.#complete(held) })
  }

  async #complete({ job, token }: HeldJob): Promise<void> {
    try {
      await job.moveToCompleted({ trigger: this.#context.trigger }, token, false)
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined) this.#onFault(error)
      // Another worker has it, or it was removed: nothing is left to do here. Else BullMQ has a reason against it.
      else if (!LOST_CODES.includes(code)) await failForGood(job, token, wordsOf(error)).catch(this.#onFault)
    } finally {
      this.#held.release(token)
    }
  }
}

async function failForGood(job: Job<unknown>, token: string, reason: string): Promise<void> {
  const { UnrecoverableError } = await import('bullmq')
  await job.moveToFailed(new UnrecoverableError(reason), token)
}

/** Of an answer of BullMQ's scripts; undefined: it is the connection. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
