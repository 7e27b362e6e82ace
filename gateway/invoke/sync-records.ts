// Records and logs of sync calls: failures always, successes up to so many a second.
import type { Clock } from '#core/clock'
import type { PlatformError } from '#core/errors'
import type { FunctionName } from '#core/ids'
import type { Invocation, LogLine } from '#core/invocation'
import type { Completion } from '#core/invoker'
import { recordErrorOf, recordStateOf } from '#core/record-of'
import type { Attempt, InvocationRecord, RecordError, RecordResult, RecordState, RecordStore } from '#core/record'

/** Lines of a call that is not recorded are held back this far, for the case that it fails. */
const HELD_LINES = 100

export class SyncRecords {
  readonly #records: RecordStore
  readonly #perS: number
  readonly #clock: Clock
  readonly #budgets = new Map<FunctionName, { second: number; used: number }>()

  constructor(records: RecordStore, perS: number, clock: Clock) {
    this.#records = records
    this.#perS = perS
    this.#clock = clock
  }

  begin(invocation: Invocation): SyncRecord {
    const chosen = this.#choose(invocation.version.function, invocation.acceptedAt)
    return new SyncRecord(this.#records, invocation, chosen, this.#clock)
  }

  forget(name: FunctionName): void {
    this.#budgets.delete(name)
  }

  #choose(name: FunctionName, now: number): boolean {
    const second = Math.floor(now / 1000)
    const budget = this.#budgets.get(name)
    if (budget === undefined) this.#budgets.set(name, { second, used: 1 })
    else if (budget.second === second) budget.used++
    else {
      budget.second = second
      budget.used = 1
    }
    return (budget?.used ?? 1) <= this.#perS
  }
}

/** The record of one sync call in the making. */
export class SyncRecord {
  readonly #records: RecordStore
  readonly #invocation: Invocation
  readonly #chosen: boolean
  readonly #clock: Clock
  #held: LogLine[] | undefined
  /** Once it is over: whether it has a record, which takes what its code still writes. */
  #recorded: boolean | undefined

  constructor(records: RecordStore, invocation: Invocation, chosen: boolean, clock: Clock) {
    this.#records = records
    this.#invocation = invocation
    this.#chosen = chosen
    this.#clock = clock
  }

  log(line: LogLine): void {
    // At once, so that whoever follows the logs of a long call sees them while it runs.
    if (this.#recorded ?? this.#chosen) return this.#writeLogs([line])
    if (this.#recorded === false) return
    this.#held ??= []
    this.#held.push(line)
    if (this.#held.length > HELD_LINES) this.#held.shift()
  }

  completed(completion: Completion, result: RecordResult | undefined): void {
    const { outcome, start, timings } = completion
    this.#recorded = this.#chosen || outcome.kind !== 'responded'
    if (!this.#recorded) return
    this.#writeHeld()
    this.#write(recordStateOf(outcome), recordErrorOf(outcome), { attempt: { start: start.kind, timings }, result })
  }

  /** The platform failed it before or after a sandbox had it. */
  failed(error: PlatformError): void {
    // Refusals come in storms, and are counted by the metrics: they keep to the budget.
    this.#recorded = this.#chosen || error.status === 500
    if (!this.#recorded) return
    this.#writeHeld()
    this.#write(error.code === 'cancelled' ? 'cancelled' : 'failed', { code: error.code, message: error.message }, {})
  }

  #write(
    state: RecordState,
    error: RecordError | undefined,
    known: { readonly attempt?: Pick<Attempt, 'start' | 'timings'>; readonly result?: RecordResult | undefined },
  ): void {
    const { id, version, trigger, request, acceptedAt, attempt } = this.#invocation
    const finishedAt = this.#clock.now()
    const failure = error === undefined ? {} : { error }
    const record: InvocationRecord = {
      id,
      function: version.function,
      version: version.number,
      trigger,
      state,
      request: { method: request.method, target: request.target, bodyBytes: bodyBytes(this.#invocation) },
      acceptedAt,
      finishedAt,
      attempts: [{ number: attempt, startedAt: acceptedAt, finishedAt, state, ...known.attempt, ...failure }],
      ...(known.result === undefined ? {} : { result: known.result }),
      ...failure,
    }
    this.#records.write(record)
  }

  #writeHeld(): void {
    if (this.#held !== undefined) this.#writeLogs(this.#held)
    this.#held = undefined
  }

  #writeLogs(lines: readonly LogLine[]): void {
    const { id, version } = this.#invocation
    this.#records.writeLogs(lines.map((line) => ({ ...line, function: version.function, invocation: id })))
  }
}

function bodyBytes({ request }: Invocation): number {
  if (request.body instanceof Uint8Array) return request.body.length
  return Number(request.headers.find(([name]) => name === 'content-length')?.[1] ?? 0)
}
