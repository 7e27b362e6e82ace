// Which calls are under way in this instance, and what of the host belongs to them. The one place with state.
import host, { type HostFuture } from 'hearth:js/host@0.1.0'

import { failureOf } from './failure.ts'
import { report } from './web/report.ts'

/** Whether the host can be called: not while the top level runs at build time, when nothing is behind the imports. */
let live = false
const active: number[] = []
const pending = new Set<HostFuture<unknown>>()
const onBegin: (() => void)[] = []

/** Runs before every call: state that must not be the same in two calls of a restored instance is dropped there. */
export function beforeEveryCall(task: () => void): void {
  onBegin.push(task)
}

export function beginCall(call: number): void {
  live = true
  active.push(call)
  for (let index = 0; index < onBegin.length; index++) onBegin[index]!()
}

/** Futures that nobody waits for any more are given back, else they would outlive the call in the host. */
export function endCall(call: number): void {
  if (active.at(-1) === call) active.pop()
  else active.splice(active.indexOf(call), 1)
  if (active.length > 0 || pending.size === 0) return
  for (const future of pending) {
    future.cancelRead()
    future.drop()
  }
  pending.clear()
}

/** @throws Error at build time, naming what was called */
export function requireLive(what: string): void {
  if (live) return
  throw new Error(
    `${what} is not available while the module is loaded, which happens once, at build time: use it inside the handler`,
  )
}

export function isLive(): boolean {
  return live
}

/** Reads a future of the host; it is given back when all calls are over before it comes. */
export async function hostValue<T>(future: HostFuture<T>): Promise<T> {
  pending.add(future)
  try {
    return await future.read()
  } finally {
    // Not left to the garbage collector: a handle that lives on keeps the instance from being restored.
    if (pending.delete(future)) future.drop()
  }
}

/** `abort` is told when the host cancels the call. */
export function watchCancel(call: number, abort: (reason: unknown) => void): void {
  hostValue(host.cancelled(call)).then(
    (cancelled) => {
      if (cancelled === 1) abort(new DOMException('The call was cancelled', 'AbortError'))
    },
    () => {
      // The call is over.
    },
  )
}

/** What was thrown where nobody can catch it. The call fails with it, unless it has given its whole response. */
export function uncaught(thrown: unknown): void {
  if (!live || !host.fail(active.at(-1) ?? 0, failureOf(thrown))) report(thrown)
}

/**
 * At build time nobody listens, and lines kept until a call would come again with every restored instance. With several
 * calls under way in one instance a line goes to the one that began last: QuickJS cannot tell.
 */
export function log(level: number, text: string): void {
  if (live) host.log(active.at(-1) ?? 0, level, text.toWellFormed())
}
