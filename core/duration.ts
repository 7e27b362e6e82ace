// Durations as people write them: "1500ms", "90s", "10m", "2h".

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** What `parseDuration` takes. */
export const DURATION_PATTERN = /^(\d{1,12})(ms|s|m|h)$/

/** Whole ms; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = DURATION_PATTERN.exec(text) ?? []
  const size = UNITS.find(([name]) => name === unit)?.[1]
  return digits === undefined || size === undefined ? undefined : Number(digits) * size
}

/** In the largest unit that leaves no fraction, so that equal durations are equal texts. @param ms whole */
export function formatDuration(ms: number): string {
  const [name, size] = UNITS.find(([, each]) => ms > 0 && ms % each === 0) ?? (['ms', 1] as const)
  return `${ms / size}${name}`
}
