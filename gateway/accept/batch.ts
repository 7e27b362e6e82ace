// Accepts the lines of a batch together, with one answer for each.
import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'

import { fingerprintOf, functionScope } from '../idempotency/fingerprint.ts'
import { acceptKeyed } from '../idempotency/keyed-accept.ts'
import type { KeyedAcceptDeps, KeyedSubmission } from '../idempotency/keyed-accept.ts'
import { acceptMany, putDown } from './accept.ts'
import { acceptedResponse } from './answer.ts'
import type { BatchLine } from './batch-lines.ts'

type LineAnswer = InvocationId | PlatformError

/** One answer each, in order. @param signal aborts when the client has gone: for lines that wait for others */
export async function acceptBatch(
  deps: KeyedAcceptDeps,
  lines: readonly (BatchLine | PlatformError)[],
  signal: AbortSignal,
): Promise<readonly LineAnswer[]> {
  const right = lines.filter((line): line is BatchLine => !(line instanceof PlatformError))
  const keyed = right.filter(({ idempotencyKey }) => idempotencyKey !== undefined)
  const plain = right.filter(({ idempotencyKey }) => idempotencyKey === undefined)
  const answers = new Map<BatchLine, LineAnswer>()
  const [once, refusals] = await Promise.all([
    keyed.length === 0 ? [] : acceptKeyed(deps, keyed.map(submissionOf), signal),
    acceptMany(
      deps,
      plain.map(({ invocation }) => invocation),
    ),
  ])
  for (const [index, answer] of once.entries()) {
    answers.set(keyed[index] as BatchLine, 'error' in answer ? answer.error : answer.id)
  }
  for (const [index, line] of plain.entries()) {
    const refusal = refusals[index]
    if (refusal !== undefined) putDown(deps, line.invocation, refusal)
    answers.set(line, refusal?.error ?? line.invocation.id)
  }
  return lines.map((line) => (line instanceof PlatformError ? line : (answers.get(line) as LineAnswer)))
}

function submissionOf({ invocation, idempotencyKey, text }: BatchLine): KeyedSubmission {
  const { function: name } = invocation
  return {
    invocation,
    key: { scope: functionScope(name), key: idempotencyKey as string },
    fingerprint: fingerprintOf('BATCH', name, Buffer.from(text)),
    answer: (id) => acceptedResponse(invocation, id),
  }
}
