// Hearth's lanes without the rest of it: what queueing alone costs. Accepts, serves and records in one process, as the
// platform does; what is called does nothing, and there is no HTTP.
// usage: node lanes.ts <path of a Redis socket> <jobs> <jobs under way at once> <functions>
// Prints {added, finished}, jobs per second: accepted alone, and from the first to the last final record; and the CPU
// time of a job in both, of this process and of Redis together, microseconds: {addedUs, finishedUs}.
import { Redis } from 'ioredis'

import { systemClock } from '#core/clock'
import { digestOf } from '#core/digest'
import type { FunctionVersion } from '#core/function'
import { newInvocationId, parseFunctionName } from '#core/ids'
import type { QueuedInvocation } from '#core/queue'
import { parseSpec, retryPolicyOf } from '#core/spec'
import { Consumer } from '#invoker/async/consumer'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker } from '#invoker/local-invoker'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import { openStore, type Store } from '#store/open'

const log = { warn: (message: string, fields: object) => console.error(message, fields) }

interface Load {
  readonly jobs: number
  readonly width: number
}

async function main(path: string, load: Load, functions: number): Promise<void> {
  const url = `unix://${path}`
  await using store = await openStore({ url, prefix: `lanes-${process.pid}` })
  const redis = new Redis({ path })
  const versions = await Promise.all(Array.from({ length: functions }, (_, n) => deploy(store, `lane-${n}`)))
  const adding = await Meter.start(redis)
  await acceptAll(store, versions, load)
  const added = await adding.per(load.jobs)
  await Promise.all(versions.map((version) => store.lanes.remove(version.function)))
  const invoker = createLocalInvoker({
    clock: systemClock,
    log,
    drivers: [new FakeDriver({ programOf: () => (call) => call.respond(200, 'hello world') })],
    absent: [],
    artifacts: { fetch: async () => [] },
    limits: { maxHeaders: 100, maxHeaderBytes: 10_000, maxBodyBytes: 1_000_000 },
    memoryMiB: 1_000_000,
    maxWaiting: 1000,
    maxWaitMs: 30_000,
  })
  const ended = new Countdown()
  const consumer = serve(store, invoker, load.width, () => ended.one())
  const endToEnd = (each: Load): Promise<unknown> => {
    ended.start(each.jobs)
    return Promise.all([acceptAll(store, versions, each), ended.done])
  }
  // Every function has a sandbox then, and its lane has been looked up.
  await endToEnd({ jobs: Math.max(functions, 1000), width: load.width })
  const serving = await Meter.start(redis)
  await endToEnd(load)
  // The last jobs leave their lanes after their records are written.
  await consumer[Symbol.asyncDispose]()
  const finished = await serving.per(load.jobs)
  const result = { added: added.rate, addedUs: added.cpuUs, finished: finished.rate, finishedUs: finished.cpuUs }
  console.log(JSON.stringify(result))
  await invoker.drain(0)
  redis.disconnect()
}

function serve(store: Store, invoker: Dispatcher, width: number, onEnd: () => void): Consumer {
  return new Consumer({
    lanes: store.lanes,
    functions: store.functions,
    records: store.records,
    deadLetters: store.deadLetters,
    destinations: undefined,
    invoker,
    clock: systemClock,
    log,
    maxRunning: width,
    maxResultBytes: 1024 * 1024,
    drainMs: 60_000,
    onCompletion: () => undefined,
    onEnd,
    onDelivery: () => undefined,
  })
}

class Countdown {
  #left = 0
  #zero = Promise.withResolvers<void>()

  get done(): Promise<void> {
    return this.#zero.promise
  }

  start(count: number): void {
    this.#left = count
    this.#zero = Promise.withResolvers()
  }

  one(): void {
    this.#left -= 1
    if (this.#left === 0) this.#zero.resolve()
  }
}

/** Of this process and of Redis together. */
class Meter {
  readonly #redis: Redis
  readonly #from = performance.now()
  readonly #cpuFromUs: number

  private constructor(redis: Redis, cpuUs: number) {
    this.#redis = redis
    this.#cpuFromUs = cpuUs
  }

  static async start(redis: Redis): Promise<Meter> {
    return new Meter(redis, await usedCpuUs(redis))
  }

  async per(jobs: number): Promise<{ readonly rate: number; readonly cpuUs: number }> {
    const rate = (jobs / (performance.now() - this.#from)) * 1000
    return { rate, cpuUs: ((await usedCpuUs(this.#redis)) - this.#cpuFromUs) / jobs }
  }
}

async function usedCpuUs(redis: Redis): Promise<number> {
  const { user, system } = process.cpuUsage()
  const seconds = (await redis.info('cpu')).matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)
  return [...seconds].reduce((sum, [, each]) => sum + Number(each) * 1e6, user + system)
}

async function deploy({ functions }: Store, name: string): Promise<FunctionVersion> {
  const spec = parseSpec({ concurrency: 64, memoryMiB: 16 }, 'js')
  const digest = digestOf(Buffer.from(name))
  const draft = { function: parseFunctionName(name), digest, spec, source: [], artifact: [], toolchain: 'none' }
  return (await functions.deploy(draft, Date.now())).version
}

/** As the gateway does: the record and the place in the lane, both durable. */
async function acceptAll(
  { records, lanes }: Store,
  versions: readonly FunctionVersion[],
  { jobs, width }: Load,
): Promise<void> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < jobs) {
      const invocation = invocationOf(versions[next++ % versions.length]!)
      const { id, function: name, version, trigger, request, acceptedAt } = invocation
      const { method, target, body } = request
      const about = { method, target, bodyBytes: body.length }
      const record = { id, function: name, version, trigger, state: 'queued', request: about, acceptedAt, attempts: [] }
      await Promise.all([records.save(record as never), lanes.add(invocation)])
    }
  }
  await Promise.all(Array.from({ length: width }, caller))
}

function invocationOf(version: FunctionVersion): QueuedInvocation {
  return {
    id: newInvocationId(),
    function: version.function,
    version: version.number,
    trigger: 'async',
    cause: {},
    request: {
      method: 'POST',
      target: '/',
      origin: 'http://127.0.0.1:8787',
      headers: [['content-type', 'text/plain']],
      body: Buffer.from('hello'),
    },
    acceptedAt: Date.now(),
    retry: retryPolicyOf(version.spec),
    priority: 0,
  }
}

const [path, jobs, width, functions] = process.argv.slice(2)
await main(path!, { jobs: Number(jobs), width: Number(width) }, Number(functions))
