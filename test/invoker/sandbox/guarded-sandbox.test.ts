import { describe, expect, test } from 'vitest'

import type { FunctionVersion } from '#core/function'
import type { Outcome } from '#core/outcome'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import type { FakeSandbox } from '#invoker/sandbox/fake/sandbox'
import type { FakeScript } from '#invoker/sandbox/fake/script'
import { GuardedSandbox } from '#invoker/sandbox/guarded-sandbox'
import { behave } from '#test/contract/fixtures/fake'
import { Recorder } from '#test/contract/world'

import { invocationOf, versionOf } from '../house.ts'
import { ManualClock, settle } from '../manual-clock.ts'

const never = (): AbortSignal => new AbortController().signal

class Bench {
  readonly clock = new ManualClock()
  readonly driver: FakeDriver
  readonly version: FunctionVersion = versionOf('guarded', { concurrency: 4, timeoutMs: 1000 })
  readonly guard: GuardedSandbox
  readonly fake: FakeSandbox
  /** Outcomes in the order in which they came, by path. */
  readonly outcomes: [string, Outcome][] = []
  /** Paths in the order in which their slots came back. */
  readonly quiet: string[] = []

  static async open(script: Partial<FakeScript> = {}): Promise<Bench> {
    const clock = new ManualClock()
    const driver = new FakeDriver({ programOf: () => behave, clock, script })
    const sandbox = await driver.create(versionOf('guarded').spec, never())
    return new Bench(clock, driver, sandbox as FakeSandbox)
  }

  private constructor(clock: ManualClock, driver: FakeDriver, fake: FakeSandbox) {
    this.clock = clock
    this.driver = driver
    this.fake = fake
    const options = { clock, maxConcurrency: 4, memoryMiB: 100, stopGraceMs: 200, probeMs: 100 }
    this.guard = new GuardedSandbox(fake, options)
  }

  async load(): Promise<this> {
    const { function: name, number, spec } = this.version
    const loading = this.guard.load({ function: name, version: number, spec, files: [] }, 5000, never())
    await this.clock.pass(0)
    expect(await loading).toEqual({ loaded: true })
    return this
  }

  call(path: string, signal: AbortSignal = never()): Recorder {
    const sink = new Recorder()
    const outcome = this.guard.invoke(invocationOf(this.version, path), sink, signal, () => this.quiet.push(path))
    void outcome.then((value) => this.outcomes.push([path, value]))
    return sink
  }

  get kinds(): string[] {
    return this.outcomes.map(([path, { kind }]) => `${path} ${kind}`)
  }
}

const ready = async (script: Partial<FakeScript> = {}): Promise<Bench> => (await Bench.open(script)).load()

describe('a guarded sandbox', () => {
  test('refuses a call before it has code, and one more than its concurrency', async () => {
    const bench = await Bench.open()
    expect(() => bench.call('/hello')).toThrow('must be ready: it is generic')
    await bench.load()
    for (let i = 0; i < 4; i++) bench.call('/sleep?ms=500')
    expect(() => bench.call('/hello')).toThrow('at most 4 calls')
  })

  test('gives the caller its outcome at the deadline and takes no call until the code has stopped', async () => {
    const bench = await ready()
    bench.call('/hang')
    await bench.clock.pass(999)
    expect(bench.kinds).toEqual([])
    await bench.clock.pass(1)
    expect(bench.outcomes).toEqual([['/hang', { kind: 'timed-out', limitMs: 1000 }]])
    expect(bench.quiet).toEqual([])
    expect(bench.guard.accepting).toBe(false)
  })

  test('goes on being used when the code of a call that timed out stops in time', async () => {
    const bench = await ready()
    bench.call('/sleep?ms=5000')
    await bench.clock.pass(1000)
    expect(bench.kinds).toEqual(['/sleep?ms=5000 timed-out'])
    expect(bench.quiet).toEqual(['/sleep?ms=5000'])
    expect(bench.guard.accepting).toBe(true)
    await bench.clock.pass(1000)
    expect(bench.driver.sandboxes.size).toBe(1)
  })

  test('is killed when the code of its only call does not stop', async () => {
    const bench = await ready()
    bench.call('/hang')
    await bench.clock.pass(1200)
    expect(bench.driver.sandboxes.size).toBe(0)
    expect(bench.quiet).toEqual(['/hang'])
    expect(await bench.guard.ended).toEqual({ cause: 'disposed' })
  })

  test('lets the neighbours of a call that does not stop finish, and is then killed', async () => {
    const bench = await ready()
    bench.call('/hang')
    await bench.clock.pass(900)
    bench.call('/sleep?ms=600')
    await bench.clock.pass(400)
    expect(bench.kinds).toEqual(['/hang timed-out'])
    expect(bench.guard.leaving).toBe(true)
    expect(bench.driver.sandboxes.size).toBe(1)
    await bench.clock.pass(200)
    expect(bench.kinds).toEqual(['/hang timed-out', '/sleep?ms=600 responded'])
    expect(bench.driver.sandboxes.size).toBe(0)
    expect(bench.quiet.toSorted()).toEqual(['/hang', '/sleep?ms=600'])
  })

  test('is killed with the neighbours of a call that keeps it from answering, and they learn why', async () => {
    const bench = await ready()
    bench.call('/loop')
    await bench.clock.pass(900)
    bench.call('/sleep?ms=900')
    await bench.clock.pass(400)
    expect(bench.kinds).toEqual(['/loop timed-out', '/sleep?ms=900 exited'])
    expect(bench.outcomes[1]?.[1]).toMatchObject({ detail: expect.stringContaining('ran past its timeoutMs of 1000') })
    expect(bench.driver.sandboxes.size).toBe(0)
  })

  test('does not wait for a probe that never comes back', async () => {
    const bench = await ready({ hangProbe: true })
    bench.call('/hang')
    await bench.clock.pass(900)
    bench.call('/sleep?ms=900')
    await bench.clock.pass(100 + 200 + 2 * 100)
    expect(bench.kinds).toEqual(['/hang timed-out', '/sleep?ms=900 exited'])
  })

  test('cancels a call when its caller aborts', async () => {
    const bench = await ready()
    const caller = new AbortController()
    bench.call('/sleep?ms=500', caller.signal)
    caller.abort()
    await settle()
    expect(bench.kinds).toEqual(['/sleep?ms=500 cancelled'])
    expect(bench.guard.accepting).toBe(true)
  })

  test('does not begin a call whose caller has aborted', async () => {
    const bench = await ready()
    bench.call('/exit', AbortSignal.abort())
    await settle()
    expect(bench.kinds).toEqual(['/exit cancelled'])
    expect(bench.quiet).toEqual(['/exit'])
    expect(bench.driver.sandboxes.size).toBe(1)
  })

  test('keeps the first cause when several come', async () => {
    const bench = await ready()
    const caller = new AbortController()
    bench.call('/hang', caller.signal)
    await bench.clock.pass(1000)
    caller.abort()
    bench.fake.die({ cause: 'out-of-memory' })
    await bench.clock.pass(500)
    expect(bench.kinds).toEqual(['/hang timed-out'])
  })

  test.each([
    ['exited', { cause: 'exited', detail: 'exit code 3' }, { kind: 'exited', detail: 'exit code 3' }],
    ['out-of-memory', { cause: 'out-of-memory' }, { kind: 'out-of-memory', limitMiB: 100 }],
  ] as const)('answers %s for a driver that stays silent about it', async (_, termination, outcome) => {
    const bench = await ready({ silentDeath: true })
    bench.call('/hang')
    bench.fake.die(termination)
    await bench.clock.pass(100)
    expect(bench.outcomes).toEqual([['/hang', outcome]])
    expect(bench.quiet).toEqual(['/hang'])
    expect(bench.guard.leaving).toBe(true)
  })

  test('treats a driver that rejects as the end of the sandbox', async () => {
    const bench = await ready({ rejectInvoke: true })
    bench.call('/hello')
    await settle()
    expect(bench.outcomes).toEqual([
      ['/hello', { kind: 'exited', detail: 'the driver failed: Error: scripted to reject' }],
    ])
    expect(bench.driver.sandboxes.size).toBe(0)
  })

  test('keeps from the caller what comes after the outcome', async () => {
    const bench = await ready({ lateSink: true })
    const sink = bench.call('/hello')
    await bench.clock.pass(10)
    expect(sink.lines).toEqual([])
    const stopped = bench.call('/stream?n=50&ms=150')
    await bench.clock.pass(3000)
    expect(stopped.chunks).toHaveLength(7)
    expect(stopped.ended).toBe(false)
  })

  test('drains: takes no call, and ends with its last one', async () => {
    const bench = await ready()
    bench.call('/sleep?ms=300')
    bench.guard.drain()
    expect(() => bench.call('/hello')).toThrow('must be ready: it is draining')
    await bench.clock.pass(300)
    expect(bench.kinds).toEqual(['/sleep?ms=300 responded'])
    expect(bench.driver.sandboxes.size).toBe(0)
  })

  test('takes no call once the sandbox says that it will end, and its calls end with it', async () => {
    const bench = await ready()
    const ending = Promise.withResolvers<void>()
    const sandbox = Object.assign(await bench.driver.create(bench.version.spec, never()), { ending: ending.promise })
    const options = { clock: bench.clock, maxConcurrency: 4, memoryMiB: 100, stopGraceMs: 200, probeMs: 100 }
    const guard = new GuardedSandbox(sandbox, options)
    const { function: name, number, spec } = bench.version
    const loading = guard.load({ function: name, version: number, spec, files: [] }, 5000, never())
    await bench.clock.pass(0)
    await loading
    const call = guard.invoke(invocationOf(bench.version, '/hang'), new Recorder(), never(), () => undefined)
    ending.resolve()
    await settle()
    expect(guard.leaving).toBe(true)
    ;(sandbox as unknown as FakeSandbox).die({ cause: 'exited', detail: 'exit code 1' })
    await bench.clock.pass(100)
    expect(await call).toEqual({ kind: 'exited', detail: 'exit code 1' })
  })

  test('gives slots back only when the disposal is over', async () => {
    const bench = await ready({ disposeMs: 400 })
    bench.call('/hang')
    void bench.guard.kill('for the test')
    await bench.clock.pass(399)
    expect(bench.outcomes).toEqual([['/hang', { kind: 'exited', detail: 'for the test' }]])
    expect(bench.quiet).toEqual([])
    await bench.clock.pass(1)
    expect(bench.quiet).toEqual(['/hang'])
  })
})

describe('loading', () => {
  test('that does not end is ended at its limit', async () => {
    const { bench, result } = await load({ onLoad: 'hang' })
    expect(result).toEqual({ loaded: false, outcome: { kind: 'timed-out', limitMs: 5000 } })
    expect(bench.driver.sandboxes.size).toBe(0)
  })

  test('that ends the sandbox says how it ended', async () => {
    const { result } = await load({ onLoad: 'exit' })
    expect(result).toEqual({ loaded: false, outcome: { kind: 'exited', detail: 'exit code 7' } })
  })

  test('is possible once', async () => {
    const bench = await ready()
    const { function: name, number, spec } = bench.version
    const again = bench.guard.load({ function: name, version: number, spec, files: [] }, 5000, never())
    await expect(again).rejects.toThrow('must be generic: it is ready')
  })
})

async function load(script: Partial<FakeScript>): Promise<{ bench: Bench; result: unknown }> {
  const bench = await Bench.open(script)
  const { function: name, number, spec } = bench.version
  const loading = bench.guard.load({ function: name, version: number, spec, files: [] }, 5000, never())
  const settled = loading.catch((error: unknown) => error)
  await bench.clock.pass(6000)
  return { bench, result: await settled }
}
