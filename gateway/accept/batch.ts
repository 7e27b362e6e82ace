// Accepts the lines of a batch together, with one answer for each.
import { PlatformError } from '#core/errors'
import type { InvocationId } from '#core/ids'

import type { KeyedRequest } from '../idempotency/fingerprint.ts'
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
  const [keyed, plain] = [right.filter(isKeyed), right.filter((line) => !isKeyed(line))]
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

type KeyedLine = BatchLine & { readonly keyed: KeyedRequest }

function isKeyed(line: BatchLine): line is KeyedLine {
  return line.keyed !== undefined
}

function submissionOf({ invocation, keyed }: KeyedLine): KeyedSubmission {
  return { ...keyed, invocation, answer: (id) => acceptedResponse(invocation, id) }
}
