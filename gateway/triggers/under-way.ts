// How many invocations of a trigger are not over yet: what holds its source back.
import type { Clock } from '#core/clock'
import type { InvocationId, TriggerName } from '#core/ids'
import type { InvocationRecord, RecordStore } from '#core/record'

/** A message about an end may be lost; then the record says it. */
const CHECK_MS = 5000

export interface UnderWayOptions {
  readonly trigger: TriggerName
  readonly records: RecordStore
  readonly clock: Clock
  /** Most at the same time; 0: no limit, and they are not counted. */
  readonly limit: number
  /** Called when there is room again. */
  readonly onRoom: () => void
}

/** Counts them in, and out again as their records become final. */
export class UnderWay implements Disposable {
  readonly #options: UnderWayOptions
  readonly #ids = new Set<InvocationId>()
  readonly #resources = new DisposableStack()
  #checking = false

  constructor(options: UnderWayOptions) {
    this.#options = options
    const { records, trigger, clock, limit } = options
    if (limit === 0) return
    this.#resources.use(records.onSettled(trigger, (id) => (id === undefined ? void this.#check() : this.#end(id))))
    this.#resources.use(clock.every(CHECK_MS, () => void this.#check()))
  }

  /** Counts those that were under way before this process took the trigger over. @throws PlatformError `store-unavailable` */
  async load(): Promise<void> {
    const { records, trigger, limit } = this.#options
    if (limit === 0) return
    const page = await records.list({ trigger, state: ['queued', 'running'], limit })
    for (const { id } of page.records) this.#ids.add(id)
  }

  get room(): number {
    const { limit } = this.#options
    return limit === 0 ? Infinity : Math.max(0, limit - this.#ids.size)
  }

  get count(): number {
    return this.#ids.size
  }

  /** Before the invocation is queued, so that its end cannot come earlier. */
  begin(id: InvocationId): void {
    if (this.#options.limit > 0) this.#ids.add(id)
  }

  /** It is over, or was not queued after all. */
  end(id: InvocationId): void {
    this.#end(id)
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }

  #end(id: InvocationId): void {
    if (this.#ids.delete(id)) this.#options.onRoom()
  }

  /** Looks at the records of those that were under way when it began. */
  async #check(): Promise<void> {
    if (this.#checking || this.#ids.size === 0) return
    this.#checking = true
    try {
      const ids = [...this.#ids]
      const found = await Promise.all(ids.map((id) => this.#options.records.get(id)))
      for (const [index, id] of ids.entries()) if (isOver(found[index])) this.#end(id)
    } catch {
      // The store is away: the next look will tell.
    } finally {
      this.#checking = false
    }
  }
}

/** Without a record it is not known to be over: it may be being queued now. */
function isOver(record: InvocationRecord | undefined): boolean {
  return record !== undefined && record.state !== 'queued' && record.state !== 'running'
}
