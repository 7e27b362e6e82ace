// The store of triggers in memory, true to its contract.
import type { TriggerName } from '#core/ids'
import type { Trigger, TriggerCounter, TriggerReport, TriggerSpec, TriggerStatus, TriggerStore } from '#core/trigger'

const COUNTERS: readonly TriggerCounter[] = ['received', 'matched', 'invocations', 'redelivered', 'failed']

export class MemoryTriggers implements TriggerStore {
  readonly triggers = new Map<TriggerName, Trigger>()
  readonly states = new Map<TriggerName, string>()
  readonly leaders = new Map<TriggerName, string>()
  readonly #statuses = new Map<TriggerName, Record<string, unknown>>()
  readonly #listeners = new Set<(name: TriggerName | undefined) => void>()
  /** What all methods fail with. */
  down: Error | undefined

  async get(name: TriggerName): Promise<Trigger | undefined> {
    this.#check()
    return this.triggers.get(name)
  }

  async list(): Promise<readonly Trigger[]> {
    this.#check()
    return [...this.triggers.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async put(name: TriggerName, spec: TriggerSpec, now: number): Promise<{ trigger: Trigger; created: boolean }> {
    this.#check()
    const before = this.triggers.get(name)
    if (before !== undefined && JSON.stringify(before.spec) === JSON.stringify(spec)) {
      return { trigger: before, created: false }
    }
    const revision = (before?.revision ?? 0) + 1
    const trigger = { name, spec, revision, createdAt: before?.createdAt ?? now, updatedAt: now }
    this.triggers.set(name, trigger)
    this.#changed(name)
    return { trigger, created: before === undefined }
  }

  async remove(name: TriggerName): Promise<boolean> {
    this.#check()
    const removed = this.triggers.delete(name)
    this.#statuses.delete(name)
    this.states.delete(name)
    if (removed) this.#changed(name)
    return removed
  }

  onChange(listener: (name: TriggerName | undefined) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  async status(name: TriggerName): Promise<TriggerStatus | undefined> {
    this.#check()
    return this.#statuses.get(name) as TriggerStatus | undefined
  }

  async report(name: TriggerName, { add = {}, ...rest }: TriggerReport): Promise<void> {
    this.#check()
    const zeros = Object.fromEntries([...COUNTERS, 'underWay', 'at'].map((field) => [field, 0]))
    const { reason, ...before } = this.#statuses.get(name) ?? zeros
    const status: Record<string, unknown> = { ...before, ...rest }
    if (rest.state === undefined && reason !== undefined) status.reason = reason
    for (const [counter, count] of Object.entries(add)) status[counter] = Number(status[counter]) + count
    this.#statuses.set(name, status)
  }

  async state(name: TriggerName): Promise<string | undefined> {
    this.#check()
    return this.states.get(name)
  }

  async setState(name: TriggerName, state: string): Promise<void> {
    this.#check()
    this.states.set(name, state)
  }

  async lead(name: TriggerName, owner: string): Promise<boolean> {
    this.#check()
    const leader = this.leaders.get(name) ?? owner
    this.leaders.set(name, leader)
    return leader === owner
  }

  async unlead(name: TriggerName, owner: string): Promise<void> {
    this.#check()
    if (this.leaders.get(name) === owner) this.leaders.delete(name)
  }

  #check(): void {
    if (this.down !== undefined) throw this.down
  }

  #changed(name: TriggerName): void {
    for (const listener of this.#listeners) listener(name)
  }
}
