// A history as a short text for the store: at most 1 KB, whatever a function does. Stores nothing itself.
import { BINS, type IdleHistory, MOST_COUNTED, RANGE_MS, RECENT, sums } from './idle-history.ts'

const FORMAT = 1

/**
 * Base64url of: the format, the end of the last call + 1 (0 for none), the number of out-of-bounds idle times, how many
 * of them follow and these, then for every bin in use its distance from the one before and its count. All are LEB128.
 */
export function encodeHistory(history: IdleHistory): string {
  const { counts, outOfBounds, recent, endedAt } = history
  const numbers = [FORMAT, endedAt === undefined ? 0 : endedAt + 1, outOfBounds, recent.length, ...recent]
  let last = -1
  for (const [bin, count] of counts.entries()) {
    if (count === 0) continue
    numbers.push(bin - last, count)
    last = bin
  }
  return Buffer.from(numbers.flatMap(leb128)).toString('base64url')
}

/** The history of an encoded text; undefined for anything else, so that learning starts anew instead of failing. */
export function decodeHistory(text: string): IdleHistory | undefined {
  const numbers = numbersOf(Buffer.from(text, 'base64url'))
  const [format, end, outOfBounds, length] = numbers
  if (format !== FORMAT || end === undefined || outOfBounds === undefined || length === undefined) return undefined
  const recent = numbers.slice(4, 4 + length)
  const counts = countsOf(numbers.slice(4 + length))
  if (counts === undefined || recent.length !== length || length > RECENT) return undefined
  return valid({ counts, ...sums(counts), outOfBounds, recent, endedAt: end === 0 ? undefined : end - 1 })
}

function valid(history: IdleHistory): IdleHistory | undefined {
  const { total, outOfBounds, recent, endedAt } = history
  const fits =
    total + outOfBounds < MOST_COUNTED &&
    (outOfBounds === 0 || recent.length > 0) &&
    recent.every((idle) => idle >= RANGE_MS && Number.isSafeInteger(idle)) &&
    (endedAt === undefined || Number.isSafeInteger(endedAt))
  return fits ? history : undefined
}

function countsOf(pairs: readonly number[]): number[] | undefined {
  if (pairs.length % 2 !== 0) return undefined
  const counts = Array.from({ length: BINS }, () => 0)
  let bin = -1
  for (let at = 0; at < pairs.length; at += 2) {
    bin += pairs[at]!
    if (pairs[at] === 0 || bin >= BINS) return undefined
    counts[bin] = pairs[at + 1]!
  }
  return counts
}

// Arithmetic instead of shifts: times in ms do not fit into 32 bits.
function leb128(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

function numbersOf(bytes: Uint8Array): number[] {
  const numbers: number[] = []
  let value = 0
  let scale = 1
  for (const byte of bytes) {
    value += (byte % 128) * scale
    scale *= 128
    if (byte >= 128) continue
    numbers.push(value)
    value = 0
    scale = 1
  }
  return scale === 1 ? numbers : []
}
