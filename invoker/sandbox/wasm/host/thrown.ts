// What it means that a guest threw. Pure.
import type { CallEnd } from '#core/frames'
import type { FunctionFailure } from '#core/outcome'

import { GuestExit } from '../wasi/cli.ts'

const MIB = 1_048_576

const NEVER_COMES = /exited without resolution|deadlock detected/

/** jco throws the error of a `result` as it is, or as the payload of an Error. */
export function failureOf(thrown: unknown): FunctionFailure {
  const payload = thrown instanceof Error && 'payload' in thrown ? thrown.payload : thrown
  const { name, message, stack } = (payload ?? {}) as { name?: unknown; message?: unknown; stack?: unknown }
  if (payload instanceof Error && NEVER_COMES.test(payload.message)) {
    return { type: 'NoResponse', message: 'the function waits for something that never comes, and has not answered' }
  }
  const failure = { type: typeof name === 'string' ? name : 'Error', message: String(message ?? payload) }
  // The stack of an Error of our own is the host's, not the user's.
  return typeof stack === 'string' && !(payload instanceof Error) ? { ...failure, stack } : failure
}

/**
 * How the instance ended, or undefined when it is only the call that failed.
 * @param memory what the instance had taken by then
 */
export function endOf(
  thrown: unknown,
  failure: FunctionFailure,
  memory: { readonly bytes: number; readonly limitMiB: number },
): CallEnd | undefined {
  if (thrown instanceof GuestExit) return { kind: 'exited', detail: thrown.message }
  if (failure.type === 'InternalError' && failure.message === 'out of memory') return { kind: 'out-of-memory' }
  // QuickJS throws null when there is not even the memory for an error.
  const full = memory.bytes > (memory.limitMiB * MIB * 7) / 8
  if (full && failure.type === 'null') return { kind: 'out-of-memory' }
  if (!(thrown instanceof WebAssembly.RuntimeError)) return undefined
  // A guest that cannot have more memory aborts. Nothing says why; having most of what it may have is the sign of it.
  if (memory.bytes > (memory.limitMiB * MIB) / 2 && /unreachable/.test(thrown.message)) return { kind: 'out-of-memory' }
  const what = thrown.message.replace(/^wasm trap: /, '').replace(/^wasm `(\w+)` instruction executed$/, '$1')
  return { kind: 'exited', detail: `trap: ${what}` }
}
