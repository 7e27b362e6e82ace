// Punycode (RFC 3492), encoding only.

const BASE = 36
const T_MIN = 1
const T_MAX = 26

/** One label, without the `xn--`. */
export function toPunycode(label: string): string {
  const points = [...label].map((character) => character.codePointAt(0) as number)
  const basic = points.filter((point) => point < 0x80)
  let output = String.fromCodePoint(...basic)
  if (basic.length > 0) output += '-'
  let next = 0x80
  let delta = 0
  let bias = 72
  let handled = basic.length
  while (handled < points.length) {
    const point = Math.min(...points.filter((candidate) => candidate >= next))
    delta += (point - next) * (handled + 1)
    next = point
    for (const candidate of points) {
      if (candidate < next) delta += 1
      if (candidate !== next) continue
      output += variableLength(delta, bias)
      bias = adapt(delta, handled + 1, handled === basic.length)
      delta = 0
      handled += 1
    }
    delta += 1
    next += 1
  }
  return output
}

function variableLength(delta: number, bias: number): string {
  let text = ''
  let left = delta
  for (let position = BASE; ; position += BASE) {
    const threshold = Math.min(Math.max(position - bias, T_MIN), T_MAX)
    if (left < threshold) return text + left.toString(BASE).replace(/./, rotated)
    text += (threshold + ((left - threshold) % (BASE - threshold))).toString(BASE).replace(/./, rotated)
    left = Math.floor((left - threshold) / (BASE - threshold))
  }
}

/** Digits are a-z then 0-9, the other way round than in toString(36). */
function rotated(digit: string): string {
  const value = Number.parseInt(digit, BASE)
  return value < 26 ? String.fromCharCode(97 + value) : String.fromCharCode(22 + value)
}

function adapt(delta: number, count: number, first: boolean): number {
  let left = first ? Math.floor(delta / 700) : Math.floor(delta / 2)
  left += Math.floor(left / count)
  let steps = 0
  while (left > ((BASE - T_MIN) * T_MAX) / 2) {
    left = Math.floor(left / (BASE - T_MIN))
    steps += BASE
  }
  return steps + Math.floor(((BASE - T_MIN + 1) * left) / (left + 38))
}
