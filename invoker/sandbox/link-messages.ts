// Reads what a sandbox says about itself: log lines, failures, how loading went. Believes none of it to be well-formed.
import { type CallEnd, type Frame, FrameError } from '#core/frames'
import type { LogLine } from '#core/invocation'
import type { FunctionFailure } from '#core/outcome'

import type { LoadResult } from './driver.ts'

/** Text kept per call; what comes after is dropped and said to be. */
export const MAX_LOG_BYTES = 1_048_576
const HEAD_BYTES = 9

/** @throws FrameError */
export function readLog(payload: Frame['payload']): LogLine {
  if (payload.length < HEAD_BYTES)
    throw new FrameError(`a log has at least ${HEAD_BYTES} bytes: received ${payload.length}`)
  return {
    at: payload.readDoubleLE(0),
    stream: payload[8] === 2 ? 'stderr' : 'stdout',
    text: payload.toString('utf8', HEAD_BYTES),
  }
}

export function readLoadResult(value: unknown): LoadResult {
  const result = value as Partial<{ loaded: boolean; failure: FunctionFailure; diagnostic: object }> | null
  if (result?.loaded === true) return { loaded: true }
  const failure = readFailure(result?.failure)
  return { ...(result as object), loaded: false, failure }
}

/** @throws FrameError */
export function readCallEnd(value: unknown): CallEnd {
  const end = value as Partial<Record<'kind' | 'detail', unknown>> | null
  if (end?.kind === 'out-of-memory') return { kind: 'out-of-memory' }
  if (end?.kind === 'exited') return { kind: 'exited', detail: text(end.detail, 1_024, 'unknown') }
  throw new FrameError('a call ends as exited or out-of-memory')
}

/** Whatever a sandbox says its failure was, as text of bounded length. */
export function readFailure(value: unknown): FunctionFailure {
  const failure = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  return {
    type: text(failure.type, 200, 'Error'),
    message: text(failure.message, 16_384, ''),
    ...(failure.stack === undefined ? {} : { stack: text(failure.stack, 65_536, '') }),
  }
}

function text(value: unknown, most: number, otherwise: string): string {
  return typeof value === 'string' ? value.slice(0, most) : otherwise
}
