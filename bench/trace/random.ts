// Seeded random numbers of the distributions that the trace needs: the same seed gives the same trace on any machine.

/** In [0, 1). */
export type Random = () => number

/** Mulberry32: 32 bits of state, enough for a trace, far from enough for a secret. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Mean 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random())
}

/** Mean 0, deviation 1 (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Mean 1, coefficient of variation `cv` in (0, 1] (Marsaglia and Tsang; their method wants a shape of at least 1). */
export function gamma(random: Random, cv: number): number {
  const shape = 1 / (cv * cv)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(random)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / shape
  }
}

/** Mean 1, coefficient of variation `cv` > 1: two exponentials of balanced means, a frequent short and a rare long. */
export function hyperExponential(random: Random, cv: number): number {
  const squared = cv * cv
  const short = 0.5 * (1 + Math.sqrt((squared - 1) / (squared + 1)))
  const share = random() < short ? short : 1 - short
  return exponential(random) / (2 * share)
}
