// The host of a URL: domains, IPv4 in all its spellings, IPv6, opaque hosts.
import { percentDecodeText, percentEncode, ENCODE } from './percent.ts'
import { toPunycode } from './punycode.ts'

// oxlint-disable-next-line no-control-regex -- the standard names these characters
const FORBIDDEN_HOST = /[\0\t\n\r #/:<>?@[\\\]^|]/
// oxlint-disable-next-line no-control-regex -- the standard names these characters
const FORBIDDEN_DOMAIN = /[\0-\x20#%/:<>?@[\\\]^|\x7f]/

/** The serialized host, or undefined when it is not valid. */
export function parseHost(input: string, special: boolean): string | undefined {
  if (input.startsWith('[')) {
    if (!input.endsWith(']')) return undefined
    const pieces = parseIpv6(input.slice(1, -1))
    return pieces === undefined ? undefined : `[${formatIpv6(pieces)}]`
  }
  if (!special) return FORBIDDEN_HOST.test(input) ? undefined : percentEncode(input, ENCODE.c0)
  const domain = domainToAscii(percentDecodeText(input))
  if (domain === undefined || domain === '' || FORBIDDEN_DOMAIN.test(domain)) return undefined
  return endsInNumber(domain) ? parseIpv4(domain) : domain
}

// oxlint-disable-next-line no-control-regex -- the standard names these characters
const ASCII = /^[\0-\x7f]*$/
/** Soft hyphen, zero-width characters and variation selectors: UTS 46 drops them. */
const IGNORED = /\u00ad|\u034f|[\u180b-\u180d]|\u180f|\u200b|\u2060|\u2064|[\ufe00-\ufe0f]|\ufeff/gu
const LABEL_DOTS = /[\u3002\uff0e\uff61]/gu

/**
 * UTS 46 by NFKC and lower case instead of its table of 9,000 rows: it differs only for characters that no registry
 * accepts.
 */
function domainToAscii(domain: string): string | undefined {
  if (ASCII.test(domain)) return domain.toLowerCase()
  const mapped = domain
    .replaceAll(IGNORED, '')
    .replaceAll(LABEL_DOTS, '.')
    .replaceAll('ẞ', 'ss')
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFKC')
  if (!mapped.isWellFormed() || mapped.includes('\ufffd')) return undefined
  return mapped
    .split('.')
    .map((label) => (ASCII.test(label) ? label : `xn--${toPunycode(label)}`))
    .join('.')
}

function endsInNumber(domain: string): boolean {
  const labels = domain.split('.')
  if (labels.at(-1) === '' && labels.length > 1) labels.pop()
  const last = labels.at(-1) ?? ''
  return /^\d+$/.test(last) || /^0x[\da-f]*$/i.test(last)
}

function parseIpv4(domain: string): string | undefined {
  const parts = domain.split('.')
  if (parts.at(-1) === '' && parts.length > 1) parts.pop()
  if (parts.length > 4) return undefined
  const numbers = parts.map(parseIpv4Number)
  const last = numbers.pop() as number
  if (numbers.some((number) => !(number <= 255)) || !(last < 256 ** (4 - numbers.length))) return undefined
  const address = numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last)
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

/** NaN when it is no number. */
function parseIpv4Number(text: string): number {
  if (text === '') return Number.NaN
  if (/^0x[\da-f]*$/i.test(text)) return text.length === 2 ? 0 : Number.parseInt(text.slice(2), 16)
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [before, after] = halves.map((half, index) => ipv6Pieces(half, index === halves.length - 1))
  if (before === undefined) return undefined
  if (halves.length === 1) return before.length === 8 ? before : undefined
  if (after === undefined || before.length + after.length > 7) return undefined
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

function ipv6Pieces(text: string, atEnd: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const tail = atEnd && last.includes('.') ? dottedPieces(last) : []
  if (tail === undefined) return undefined
  if (tail.length > 0) parts.pop()
  if (parts.some((part) => !/^[\da-f]{1,4}$/i.test(part))) return undefined
  return [...parts.map((part) => Number.parseInt(part, 16)), ...tail]
}

function dottedPieces(text: string): number[] | undefined {
  const bytes = text.split('.')
  if (bytes.length !== 4 || bytes.some((byte) => !/^(?:0|[1-9]\d{0,2})$/.test(byte) || Number(byte) > 255)) {
    return undefined
  }
  const [a, b, c, d] = bytes.map(Number) as [number, number, number, number]
  return [a * 256 + b, c * 256 + d]
}

/** The first longest run of two or more zeros is compressed. */
function formatIpv6(pieces: readonly number[]): string {
  const text = pieces.map((piece) => piece.toString(16)).join(':')
  const runs = text.match(/(?:^|(?<=:))0(?::0)+(?=:|$)/g) ?? []
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  if (longest === '') return text
  const at = new RegExp(`(?:^|:)${longest}(?:$|:)`).exec(text) as RegExpExecArray
  return `${text.slice(0, at.index)}::${text.slice(at.index + at[0].length)}`
}
