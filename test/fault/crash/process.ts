// A process that the crash suite kills: a gateway, a consumer, or both, with the real store and fake sandboxes. Started
// by light-world.ts with one argument, a JSON of ProcessOptions. Says with a line of JSON on standard output that it
// serves; each line of standard input is a fuse.
import { randomUUID } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { systemClock } from '#core/clock'
import type { Destinations } from '#core/destination'
import { createDestinations } from '#gateway/destinations/destinations'
import { FunctionDirectory } from '#gateway/directory'
import type { Gateway, GatewayOptions } from '#gateway/gateway'
import { createGateway } from '#gateway/server'
import { Consumer } from '#invoker/async/consumer'
import type { Dispatcher } from '#invoker/dispatcher'
import { createLocalInvoker } from '#invoker/local-invoker'
import { FakeDriver } from '#invoker/sandbox/fake/driver'
import type { FakeCall } from '#invoker/sandbox/fake/program'
import { openStore, type Store } from '#store/open'
import type { StoreSettings } from '#store/settings'

import { ArmedFuse, fusedStore } from './fuse.ts'
import type { Effect, Fuse } from './world.ts'

export interface ProcessOptions {
  /** Its name among all that ever ran. */
  readonly name: string
  readonly redisUrl: string
  readonly settings: Partial<StoreSettings>
  /** Whether it listens. */
  readonly gateway: boolean
  readonly token: string
  /** The file that effects are written to. */
  readonly effects: string
}

const KIB = 1024
const LIMITS = { maxHeaders: 100, maxHeaderBytes: 64 * KIB, maxBodyBytes: 8 * KIB * KIB }

const options = JSON.parse(process.argv[2] ?? '') as ProcessOptions
const fuse = new ArmedFuse()
const store = fusedStore(await openStore({ url: options.redisUrl, settings: options.settings }), fuse)
const invoker = startInvoker()
// Every process has one: destinations publish through it. Only some listen.
const gateway = await openGateway(store, invoker)
startConsumer(store, invoker, openDestinations(store, gateway))
const url = options.gateway ? (await gateway.listen({ host: '127.0.0.1', port: 0 })).url : ''
createInterface(process.stdin).on('line', (line) => fuse.arm(JSON.parse(line) as Fuse))
process.stdout.write(`${JSON.stringify({ url })}\n`)

function startInvoker(): Dispatcher {
  // Each line is with the kernel before the code goes on: a kill of this process loses none.
  const file = openSync(options.effects, 'a')
  const driver = new FakeDriver({ programOf: () => (call) => perform(call, file) })
  return createLocalInvoker({
    clock: systemClock,
    log: { warn },
    drivers: [driver],
    absent: [],
    artifacts: { fetch: async () => [] },
    limits: LIMITS,
    memoryMiB: 100_000,
    maxWaiting: 1000,
    maxWaitMs: 30_000,
  })
}

/** `/?tag=…&ms=…&fails=…`: how long it takes, and how many attempts fail. */
async function perform(call: FakeCall, file: number): Promise<void> {
  const { id, attempt, version } = call.invocation
  const { query } = call
  const tag = query.get('tag') ?? `told:${(JSON.parse(await text(call)) as { invocation: string }).invocation}`
  const note = (kind: Effect['kind']): void => {
    const effect: Effect = {
      kind,
      function: version.function,
      tag,
      at: systemClock.now(),
      id,
      attempt,
      by: options.name,
    }
    writeSync(file, `${JSON.stringify(effect)}\n`)
  }
  note('start')
  try {
    await call.sleep(Number(query.get('ms')))
  } finally {
    note('end')
  }
  if (attempt <= Number(query.get('fails'))) throw new Error('it was to fail')
  call.respond(200, tag)
}

async function text(call: FakeCall): Promise<string> {
  return Buffer.from(await call.body()).toString()
}

function openGateway(parts: Store, dispatcher: Dispatcher): Promise<Gateway> {
  const { functions, blobs, records, lanes, deadLetters, idempotency, triggers } = parts
  const builder = { build: () => Promise.reject(new Error('nothing is deployed here')) }
  const gatewayOptions: GatewayOptions = {
    ...LIMITS,
    adminToken: options.token,
    maxAsyncBodyBytes: KIB * KIB,
    maxResultBytes: 64 * KIB,
    maxBatch: 1000,
    maxUploadBytes: KIB * KIB,
    syncRecordsPerS: 100,
    drainMs: 1000,
    trustProxy: false,
  }
  return createGateway(
    {
      functions,
      blobs,
      records,
      lanes,
      deadLetters,
      idempotency,
      triggers,
      builder,
      redisUrl: options.redisUrl,
      instance: randomUUID(),
      invoker: dispatcher,
      clock: systemClock,
      ping: () => parts.ping(),
      onFault: (error) => warn('a fault of Hearth', { error }),
    },
    gatewayOptions,
  )
}

function openDestinations(parts: Store, publisher: Gateway): Destinations {
  const directory = new FunctionDirectory(parts.functions, systemClock)
  return createDestinations({
    ...parts,
    clock: systemClock,
    outbound: { post: () => Promise.reject(new Error('there is no network here')) },
    signingSecret: 'whsec_AAAA',
    live: (name) => directory.resolve(name),
    publish: (events) => publisher.publish(events),
  })
}

function startConsumer(parts: Store, dispatcher: Dispatcher, destinations: Destinations): Consumer {
  const { lanes, functions, records, deadLetters } = parts
  return new Consumer({
    lanes,
    functions,
    records,
    deadLetters,
    destinations,
    invoker: dispatcher,
    clock: systemClock,
    log: { warn },
    maxRunning: 64,
    drainMs: 1000,
    maxResultBytes: 64 * KIB,
    onCompletion: () => {},
    onDelivery: () => {},
  })
}

function warn(message: string, { error, ...fields }: Readonly<Record<string, unknown>>): void {
  console.error(options.name, message, JSON.stringify(fields), error)
}
