// Lanes that compete for slots, in scripted time: what the fair share makes of loads that would take hours to run.
import { FairShare, newShare, type Share } from '#invoker/async/fair-share'

export interface LaneLoad {
  readonly name: string
  readonly runMs: number
  readonly weight?: number
  /** When jobs come, ms. Undefined: there are always more. */
  readonly arrivals?: readonly number[]
  /** Cannot be run in this time, although it has work. */
  readonly noRoom?: readonly [fromMs: number, toMs: number]
}

export interface LaneResult {
  jobs: number
  /** Slot time that it had before the end. */
  slotMs: number
  /** From the arrival to the start, of jobs that have arrivals. */
  readonly waits: number[]
  peak: number
}

interface SimulatedLane extends Share {
  readonly load: LaneLoad
  readonly result: LaneResult
  readonly waiting: number[]
}

interface Simulation {
  readonly slots: number
  readonly untilMs: number
  readonly loads: readonly LaneLoad[]
  /** `piece`: every job is charged the same, however long it runs. */
  readonly charge?: 'time' | 'piece'
}

export interface SimulationResult {
  readonly lanes: ReadonlyMap<string, LaneResult>
  /** Most slots that were taken at the same time. */
  readonly peak: number
}

export function simulate({ slots, untilMs, loads, charge = 'time' }: Simulation): SimulationResult {
  const share = new FairShare<SimulatedLane>(slots)
  const agenda = new Agenda()
  let peak = 0
  const lanes = loads.map((load): SimulatedLane => {
    const result: LaneResult = { jobs: 0, slotMs: 0, waits: [], peak: 0 }
    return { ...newShare(load.weight ?? 1), load, result, waiting: [] }
  })
  const ready = (lane: SimulatedLane): boolean => {
    const [from, to] = lane.load.noRoom ?? [Infinity, Infinity]
    const hasWork = lane.load.arrivals === undefined || lane.waiting.length > 0
    return hasWork && !(agenda.now >= from && agenda.now < to)
  }
  const serve = (): void => {
    for (let lane = share.next(); lane !== undefined; lane = share.next()) start(lane)
    peak = Math.max(peak, share.inHand)
  }
  const start = (lane: SimulatedLane): void => {
    const { load, result } = lane
    if (!ready(lane)) return share.leave(lane)
    const paid = share.take(lane)
    const startedAt = agenda.now
    if (load.arrivals !== undefined) result.waits.push(startedAt - lane.waiting.shift()!)
    if (!ready(lane)) share.leave(lane)
    result.peak = Math.max(result.peak, lane.inHand)
    result.slotMs += Math.min(load.runMs, untilMs - startedAt)
    agenda.at(startedAt + load.runMs, () => {
      result.jobs += 1
      share.giveBack(lane, paid, charge === 'time' ? load.runMs : paid)
      if (ready(lane)) share.join(lane)
      serve()
    })
  }
  const look = (lane: SimulatedLane): void => {
    if (ready(lane)) share.join(lane)
    serve()
  }
  for (const lane of lanes) {
    if (lane.load.arrivals === undefined) agenda.at(0, () => look(lane))
    for (const at of lane.load.arrivals ?? []) {
      agenda.at(at, () => {
        lane.waiting.push(at)
        look(lane)
      })
    }
    if (lane.load.noRoom !== undefined) agenda.at(lane.load.noRoom[1], () => look(lane))
  }
  agenda.run(untilMs)
  return { lanes: new Map(lanes.map(({ load, result }) => [load.name, result])), peak }
}

/** What happens at which time, in order. */
class Agenda {
  readonly #times: number[] = []
  readonly #events = new Map<number, (() => void)[]>()
  now = 0

  at(time: number, event: () => void): void {
    const events = this.#events.get(time)
    if (events !== undefined) return void events.push(event)
    this.#events.set(time, [event])
    let index = this.#times.length
    while (index > 0 && this.#times[index - 1]! < time) index -= 1
    this.#times.splice(index, 0, time)
  }

  run(untilMs: number): void {
    for (let time = this.#times.pop(); time !== undefined && time < untilMs; time = this.#times.pop()) {
      this.now = time
      const events = this.#events.get(time) ?? []
      for (const event of events) event()
      this.#events.delete(time)
    }
  }
}
