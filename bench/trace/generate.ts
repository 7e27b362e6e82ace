// A synthetic trace: apps, their functions and the calls of each.
import { type Arrivals, arrivals, callsPerDay, durationS, functionsPerApp, memoryMB } from './azure-2019.ts'
import { type Random, seeded } from './random.ts'

const DAY_MS = 86_400_000
/**
 * An app is replayed for its first calls up to this many, and its idle time then counts for the whole trace. It concerns
 * only apps with more than 3,000 ÷ days calls a day, whose share of cold starts is next to 0 under every policy.
 */
const MOST_CALLS = 3000

export interface App {
  readonly kind: Arrivals
  readonly callsPerDay: number
  readonly memoryMB: number
  /** Every unit is kept warm on its own. */
  readonly units: readonly Unit[]
  /** ms that are replayed, and how many times that the trace is. */
  readonly spanMs: number
  readonly scale: number
}

export interface Unit {
  /** Starts of calls, ms from the start of the trace, rising. */
  readonly starts: readonly number[]
  readonly durationMs: number
}

export interface TraceShape {
  readonly apps: number
  readonly days: number
  /** What is kept warm: the paper's unit is the app, Hearth's is the function. */
  readonly unit: 'app' | 'function'
  /** Every call of the whole trace, of apps whose rate is cut to this; absent: as MOST_CALLS says. */
  readonly mostCallsPerDay?: number
}

/** The apps that are called at all. The same seed gives the same calls whichever the unit is. */
export function generate(seed: number, shape: TraceShape): readonly App[] {
  const random = seeded(seed)
  const made = Array.from({ length: shape.apps }, () => generateApp(seeded(Math.floor(random() * 2 ** 32)), shape))
  return made.filter(({ units }) => units.length > 0)
}

function generateApp(random: Random, { days, unit, mostCallsPerDay }: TraceShape): App {
  const perDay = Math.min(callsPerDay(random), mostCallsPerDay ?? Infinity)
  const mostCalls = mostCallsPerDay === undefined ? MOST_CALLS : Infinity
  const { kind, next } = arrivals(random, perDay)
  const functions = functionsPerApp(random)
  const about = { kind, callsPerDay: perDay, memoryMB: memoryMB(random) }
  const durations = Array.from({ length: functions }, () => durationS(random) * 1000)
  const traceMs = days * DAY_MS
  const starts: number[] = []
  // The trace begins anywhere between two calls.
  let at = random() * next() * 1000
  for (; at < traceMs && starts.length < mostCalls; at += next() * 1000) starts.push(at)
  const spanMs = Math.min(at, traceMs)
  const units = unit === 'app' ? [{ starts, durationMs: durations[0]! }] : byFunction(starts, durations, random)
  return { ...about, units: units.filter((each) => each.starts.length > 0), spanMs, scale: traceMs / spanMs }
}

/** Spreads the calls over the functions by 1 ÷ rank. Ours: how an app's calls spread is not published. */
function byFunction(starts: readonly number[], durations: readonly number[], random: Random): Unit[] {
  const units = durations.map((durationMs) => ({ starts: [] as number[], durationMs }))
  const weights = durations.map((_, index) => 1 / (index + 1))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  for (const start of starts) {
    let rest = random() * sum
    const chosen = weights.findIndex((weight) => (rest -= weight) < 0)
    units[chosen]!.starts.push(start)
  }
  return units
}
