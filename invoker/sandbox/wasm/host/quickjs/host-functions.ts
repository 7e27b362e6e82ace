// hearth:js/host of runtimes/js/wit/function.wit, lowered: the host's side of what a js function can do.
import { systemClock } from '#core/clock'

import type { Redirect } from '../../control.ts'
import type { Call } from '../call.ts'
import type { Egress, EgressResponse } from '../guest.ts'
import type { GuestMemory } from '../guest-memory.ts'
import type { Waitables } from './waitables.ts'
import type { CoreImports } from './wasi-functions.ts'

/** What the functions need of their instance. */
export interface HostContext {
  readonly memory: GuestMemory
  readonly waitables: Waitables
  readonly egress: Egress
  readonly env: Readonly<Record<string, string>>
  /** The one that runs now. */
  readonly call: Call | undefined
  /** What was thrown and nobody caught. @returns false when it is too late for the call */
  uncaught(failure: { readonly name: string; readonly message: string; readonly stack: string }): boolean
  /** Called when the call is cancelled. */
  onCancel(listener: () => void): void
}

const LEVEL_WARN = 3
const MAX_RANDOM_BYTES = 65_536
const REDIRECTS: readonly Redirect[] = ['follow', 'manual', 'error']

/** Offsets in what fetch gives: result<fetched, string>. */
const FETCHED = { tag: 0, message: 4, status: 4, headers: 8, body: 16, url: 24, redirected: 32 } as const

export function hostFunctions(context: HostContext): CoreImports {
  const { memory, waitables, env } = context
  return {
    'hearth:js/host': {
      log(_call: number, level: number, at: number, length: number) {
        context.call?.log(level >= LEVEL_WARN ? 'stderr' : 'stdout', memory.text(at, length))
      },
      random(count: number, result: number) {
        const bytes = new Uint8Array(Math.min(count >>> 0, MAX_RANDOM_BYTES))
        memory.setSlice(result, memory.allocateBytes(crypto.getRandomValues(bytes)))
      },
      now: () => systemClock.now(),
      environment: (result: number) => memory.setSlice(result, memory.allocatePairs(Object.entries(env))),
      sleep: (ms: number) =>
        waitables.future((settle) => systemClock.after(ms >>> 0, () => settle((at) => memory.setU32(at, 0)))),
      fetch: (...values: number[]) => startFetch(context, values),
      'emit-head'(_call: number, status: number, at: number, length: number) {
        context.call?.giveHead(status & 0xffff, memory.pairs(at, length))
      },
      'emit-chunk'(_call: number, at: number, length: number) {
        void context.call?.giveChunk(memory.bytes(at, length))
      },
      'emit-end': () => context.call?.giveEnd(),
      fail: (_call: number, ...values: number[]) => (context.uncaught(failureAt(memory, values)) ? 1 : 0),
      cancelled: () =>
        waitables.future((settle) => {
          context.onCancel(() => settle((at) => memory.setU32(at, 1)))
          return undefined
        }),
      '[async-lower][future-read-0]sleep': (handle: number, at: number) => waitables.read(handle, at),
      '[async-lower][future-read-0]fetch': (handle: number, at: number) => waitables.read(handle, at),
      '[future-cancel-read-0]sleep': (handle: number) => waitables.cancelRead(handle),
      '[future-cancel-read-0]fetch': (handle: number) => waitables.cancelRead(handle),
      '[future-drop-readable-0]sleep': (handle: number) => waitables.drop(handle),
      '[future-drop-readable-0]fetch': (handle: number) => waitables.drop(handle),
    },
  }
}

/** name, message and stack of the world's `failure`. */
export function failureAt(
  memory: GuestMemory,
  [name = 0, nameBytes = 0, message = 0, messageBytes = 0, stack = 0, stackBytes = 0]: readonly number[],
): { name: string; message: string; stack: string } {
  return {
    name: memory.text(name, nameBytes),
    message: memory.text(message, messageBytes),
    stack: memory.text(stack, stackBytes),
  }
}

/** @param values the fields of `request` as they lie in the world, and the redirect */
function startFetch({ memory, waitables, egress }: HostContext, values: readonly number[]): number {
  const [, method = 0, methodBytes = 0, url = 0, urlBytes = 0, pairs = 0, pairCount = 0, body = 0, bodyBytes = 0] =
    values
  const request = {
    method: memory.text(method, methodBytes),
    url: memory.text(url, urlBytes),
    headers: memory.pairs(pairs, pairCount),
    body: memory.bytes(body, bodyBytes),
    redirect: REDIRECTS[values.at(-1) ?? 0] ?? 'follow',
  }
  return waitables.future((settle) => {
    const abort = new AbortController()
    void egress.fetch(request, abort.signal).then((answer) => settle((at) => deliver(memory, at, answer)))
    return { [Symbol.dispose]: () => abort.abort() }
  })
}

function deliver(memory: GuestMemory, at: number, answer: EgressResponse | string): void {
  if (typeof answer === 'string') {
    memory.setU8(at + FETCHED.tag, 1)
    return memory.setSlice(at + FETCHED.message, memory.allocateText(answer))
  }
  memory.setU8(at + FETCHED.tag, 0)
  memory.setU16(at + FETCHED.status, answer.status)
  memory.setSlice(at + FETCHED.headers, memory.allocatePairs(answer.headers))
  memory.setSlice(at + FETCHED.body, memory.allocateBytes(answer.body))
  memory.setSlice(at + FETCHED.url, memory.allocateText(answer.url))
  memory.setU8(at + FETCHED.redirected, answer.redirected ? 1 : 0)
}
