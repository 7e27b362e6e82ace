// A gateway that listens, on the real store, with an invoker that a test scripts.
import { randomUUID } from 'node:crypto'

import { systemClock } from '#core/clock'
import type { Gateway, GatewayDeps, GatewayOptions } from '#gateway/gateway'
import { createGateway } from '#gateway/server'
import { openStore } from '#store/open'
import type { Store } from '#store/open'

import { CopyBuilder, ScriptedInvoker } from './memory.ts'
import { AUTH, OPTIONS } from './start.ts'

export interface OnRedis extends AsyncDisposable {
  readonly url: string
  readonly gateway: Gateway
  readonly invoker: ScriptedInvoker
  readonly store: Store
  deploy(name: string, query?: string): Promise<void>
  /** A management call; the status and the JSON of the answer. */
  call(method: string, path: string, init?: RequestInit): Promise<{ status: number; headers: Headers; json: Json }>
}

export type Json = Record<string, unknown> & { readonly id?: string }

interface Settings {
  readonly prefix?: string
  readonly leaseMs?: number
  readonly options?: Partial<GatewayOptions>
  /** Puts something between the gateway and the store. */
  readonly wrap?: (store: Store) => Partial<GatewayDeps>
}

/** A part of the store with some methods of the test's own. */
export function replacing<T extends object>(part: T, methods: Partial<T>): T {
  return new Proxy(part, {
    get(target, property) {
      if (Object.hasOwn(methods, property)) return Reflect.get(methods, property) as unknown
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

export async function startOnRedis(redisUrl: string, settings: Settings = {}): Promise<OnRedis> {
  const { prefix = 'hearth', leaseMs, options, wrap } = settings
  const store = await openStore({
    url: redisUrl,
    prefix,
    ...(leaseMs === undefined ? {} : { settings: { leaseMs } }),
  })
  const invoker = new ScriptedInvoker()
  const { functions, blobs, records, lanes, deadLetters, idempotency, triggers } = store
  const kept = { functions, blobs, records, lanes, deadLetters, idempotency, triggers }
  const parts = { ...kept, redisUrl, instance: randomUUID(), invoker, builder: new CopyBuilder() }
  const gateway = await createGateway(
    { ...parts, clock: systemClock, ping: () => store.ping(), onFault: () => {}, ...wrap?.(store) },
    { ...OPTIONS, ...options },
  )
  const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 })
  const call: OnRedis['call'] = async (method, path, init = {}) => {
    const response = await fetch(url + path, { method, ...init, headers: { ...AUTH, ...(init.headers as object) } })
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: (text === '' ? {} : JSON.parse(text)) as Json }
  }
  return {
    url,
    gateway,
    invoker,
    store,
    call,
    async deploy(name, query = '') {
      const headers = { 'content-type': 'text/javascript' }
      const { status } = await call('PUT', `/v1/functions/${name}${query}`, { headers, body: `code of ${name}` })
      if (status >= 300) throw new Error(`the deploy of ${name} was answered ${status}`)
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}
