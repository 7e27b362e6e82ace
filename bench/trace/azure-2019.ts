// The published distributions of the Azure Functions trace of 2019 (Shahrad et al., ATC 2020, and its dataset), as
// far as they are published. The trace itself cannot be had here; what follows from this choice is in docs/keep-alive.md.
import { exponential, gamma, hyperExponential, normal, type Random } from './random.ts'

const DAY_S = 86_400
/** Functions per app: share of the apps, least and most. */
const FUNCTIONS_PER_APP = [
  [0.54, 1, 1],
  [0.16, 2, 2],
  [0.1, 3, 3],
  [0.08, 4, 5],
  [0.07, 6, 10],
  [0.05, 11, 100],
] as const
/** Knots of the cumulative distribution of an app's calls a day, log-linear between them. */
const CALLS_PER_DAY = [
  [0, 1 / 14],
  [0.45, 24],
  [0.814, 1440],
  [0.97, 86_400],
  [1, 10 ** 6.5],
] as const
const TIMER_SHARE = 0.13
const GAMMA_SHARE = 0.54
const DURATION = { lnMean: -0.38, sigma: 2.36 }
/** The longest run that the platform of the trace allowed by default. */
const MOST_DURATION_S = 600
const MEMORY = { c: 11.652, k: 0.221, lambdaMB: 107.083 }

export type Arrivals = 'timer' | 'gamma' | 'hyper-exponential'

export function functionsPerApp(random: Random): number {
  let rest = random()
  for (const [share, least, most] of FUNCTIONS_PER_APP) {
    if (rest < share) return least + Math.floor(random() * (most - least + 1))
    rest -= share
  }
  return 1
}

export function callsPerDay(random: Random): number {
  const at = random()
  const upper = CALLS_PER_DAY.findIndex(([share]) => at < share)
  const [[fromShare, from], [toShare, to]] = [CALLS_PER_DAY[upper - 1]!, CALLS_PER_DAY[upper]!]
  return from * (to / from) ** ((at - fromShare) / (toShare - fromShare))
}

/** How an app's calls follow each other; `next` gives the s from one call to the next. */
export function arrivals(random: Random, perDay: number): { readonly kind: Arrivals; readonly next: () => number } {
  const mean = DAY_S / perDay
  if (random() < TIMER_SHARE) return { kind: 'timer', next: () => mean }
  if (random() < GAMMA_SHARE) {
    const cv = 0.1 + 0.9 * random()
    return { kind: 'gamma', next: () => mean * gamma(random, cv) }
  }
  const cv = 1 + 2 * exponential(random)
  return { kind: 'hyper-exponential', next: () => mean * hyperExponential(random, cv) }
}

export function durationS(random: Random): number {
  return Math.min(MOST_DURATION_S, Math.exp(DURATION.lnMean + DURATION.sigma * normal(random)))
}

export function memoryMB(random: Random): number {
  const { c, k, lambdaMB } = MEMORY
  return lambdaMB * ((1 - random()) ** (-1 / k) - 1) ** (1 / c)
}
