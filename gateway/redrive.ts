// Queues dead letters again. A letter goes only when its new invocation is queued; a key of its own keeps two redrives,
// or one that was cut off in between, from queueing it twice.
import type { DeadLetter } from '#core/dead-letter'
import { digestOf } from '#core/digest'
import { PlatformError } from '#core/errors'
import type { FunctionVersion } from '#core/function'
import type { StoredResponse } from '#core/idempotency'
import type { InvocationId } from '#core/ids'

import { acceptedResponse } from './accept/answer.ts'
import { defaultOptions } from './accept/options.ts'
import { queuedInvocation } from './accept/queued.ts'
import { acceptKeyed } from './idempotency/keyed-accept.ts'
import type { KeyedAnswer, KeyedSubmission } from './idempotency/keyed-accept.ts'
import type { GatewayContext } from './routes/context.ts'

/** Letters that are queued together. */
const PAGE = 200
/** After which a redrive of all leaves the rest to the next request. */
const LONGEST_MS = 60_000

interface Redrive {
  readonly letter: DeadLetter
  readonly version: FunctionVersion
  readonly signal: AbortSignal
}

/** @throws PlatformError `store-unavailable` */
export async function redriveOne(
  context: GatewayContext,
  { letter, version, signal }: Redrive,
): Promise<StoredResponse> {
  const [answer] = (await redrive(context, [letter], version, signal)) as [StoredResponse | PlatformError]
  if (answer instanceof PlatformError) throw answer
  return answer
}

export interface Redriven {
  readonly redriven: number
  readonly failed: number
  readonly remaining: number
}

/** Those that there are when it begins: what fails again comes before them and is not met. */
export async function redriveAll(
  context: GatewayContext,
  version: FunctionVersion,
  signal: AbortSignal,
): Promise<Redriven> {
  const { deadLetters, clock } = context.deps
  const name = version.function
  const startedAt = clock.now()
  let [redriven, failed] = [0, 0]
  let cursor: string | undefined
  do {
    const page = await deadLetters.list(name, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    const letters = page.letters.filter(({ at }) => at < startedAt)
    const answers = await redrive(context, letters, version, signal)
    const refused = answers.filter((answer) => answer instanceof PlatformError).length
    failed += refused
    redriven += answers.length - refused
    cursor = page.next
  } while (cursor !== undefined && !signal.aborted && clock.now() - startedAt < LONGEST_MS)
  return { redriven, failed, remaining: await deadLetters.count(name) }
}

async function redrive(
  { deps }: GatewayContext,
  letters: readonly DeadLetter[],
  version: FunctionVersion,
  signal: AbortSignal,
): Promise<readonly (StoredResponse | PlatformError)[]> {
  const now = deps.clock.now()
  const answers = await acceptKeyed(
    deps,
    letters.map((letter) => submissionOf(letter, version, now)),
    signal,
  )
  return Promise.all(
    letters.map(async ({ invocation }, index) => {
      const answer = answers[index] as KeyedAnswer
      if ('error' in answer) return answer.error
      await deps.deadLetters.remove(invocation.function, invocation.id)
      return answer.response
    }),
  )
}

function submissionOf({ invocation: dead }: DeadLetter, version: FunctionVersion, now: number): KeyedSubmission {
  const { id, trigger, cause, request, priority, retry } = dead
  const options = { ...defaultOptions(version.spec), priority, retry }
  // A trigger does not wait for it: to it, the events are over.
  const { trigger: _, ...kept } = cause
  const invocation = queuedInvocation({ version, request, options, trigger, cause: { ...kept, replayOf: id } }, now)
  return {
    invocation,
    // Not the version: a second redrive that names another one is still the second of the same letter.
    key: { scope: `redrive:${dead.function}`, key: id },
    fingerprint: digestOf(Buffer.from(id)),
    answer: (accepted: InvocationId) => acceptedResponse(invocation, accepted),
  }
}
