// Which addresses a function may reach over the network. Pure: names are resolved, and connections made, by others,
// who must connect to the very address that was judged here.
import { BlockList, isIP, isIPv4 } from 'node:net'

/** One entry of a function's `egress`: what it may reach although it is not public. */
export type EgressRule =
  | { readonly kind: 'host'; readonly pattern: string; readonly port: number | undefined }
  | { readonly kind: 'network'; readonly network: string; readonly prefix: number }

export interface EgressTarget {
  /** As in the URL, lower case, without brackets: a name or an address. */
  readonly host: string
  readonly port: number
  /** What the name resolved to, or the address itself. */
  readonly address: string
}

// RFC 6890 and what came after it; 168.63.129.16 is where Azure answers for its machines.
const NOT_PUBLIC_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const
/** Within 2000::/3; nothing outside of it is public. Teredo and 6to4 carry IPv4 addresses inside. */
const NOT_PUBLIC_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

const V4_IN_V6 = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/

/**
 * @param entries `host`, `*.domain`, `host:port`, an address, or CIDR
 * @throws RangeError naming the entry that is none of these
 */
export function parseEgressRules(entries: readonly string[]): readonly EgressRule[] {
  return entries.map(parseRule)
}

/** @returns undefined when it may be reached, else why not, fit for the user */
export function refuseEgress({ host, port, address }: EgressTarget, rules: readonly EgressRule[]): string | undefined {
  if (isPublicAddress(address)) return undefined
  const plain = plainAddress(address)
  for (const rule of rules) {
    if (rule.kind === 'network' ? inNetwork(plain, rule.network, rule.prefix) : matches(rule, host, port))
      return undefined
  }
  const what = plain === host ? `${host} is` : `${host} resolves to ${plain},`
  return `${what} not a public address, and the function's egress does not name it`
}

/** Whether an address is one of the public Internet: not loopback, private, link-local, shared, multicast, reserved. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address)
  if (isIPv4(plain)) return !listOf(NOT_PUBLIC_V4, 'ipv4').check(plain, 'ipv4')
  if (isIP(plain) !== 6) return false
  return inNetwork(plain, '2000::', 3) && !listOf(NOT_PUBLIC_V6, 'ipv6').check(plain, 'ipv6')
}

/** An IPv4 address in IPv6 clothes as IPv4; without a zone. */
function plainAddress(address: string): string {
  const bare = address.toLowerCase().replace(/%.*$/, '')
  const mapped = V4_IN_V6.exec(bare)
  if (mapped === null) return bare
  if (mapped[1] !== undefined) return mapped[1]
  const high = Number.parseInt(mapped[2] ?? '', 16)
  const low = Number.parseInt(mapped[3] ?? '', 16)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function parseRule(entry: string): EgressRule {
  const slash = entry.lastIndexOf('/')
  if (slash !== -1) return parseNetwork(entry, slash)
  const bare = entry.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (isIP(bare) !== 0)
    return { kind: 'network', network: plainAddress(bare), prefix: isIPv4(plainAddress(bare)) ? 32 : 128 }
  const parts = /^(\[[\da-f:.]+\]|[^:/[\]]+)(?::(\d{1,5}))?$/.exec(entry.toLowerCase())
  if (parts === null) throw new RangeError(`an egress entry is a host, host:port, address or CIDR: received "${entry}"`)
  const pattern = parts[1]!.replace(/^\[(.*)\]$/, '$1')
  return { kind: 'host', pattern, port: parts[2] === undefined ? undefined : Number(parts[2]) }
}

function parseNetwork(entry: string, slash: number): EgressRule {
  const network = entry.slice(0, slash).replace(/^\[(.*)\]$/, '$1')
  const digits = entry.slice(slash + 1)
  // An empty text is the number 0, and /0 is everything.
  const prefix = /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN
  const bits = isIP(network) === 4 ? 32 : isIP(network) === 6 ? 128 : -1
  if (prefix <= bits) return { kind: 'network', network, prefix }
  throw new RangeError(`a network is an address, "/" and a number of bits: received "${entry}"`)
}

function matches(rule: EgressRule & { kind: 'host' }, host: string, port: number): boolean {
  if (rule.port !== undefined && rule.port !== port) return false
  if (rule.pattern === '*' || rule.pattern === host) return true
  return rule.pattern.startsWith('*.') && host.endsWith(rule.pattern.slice(1))
}

function inNetwork(address: string, network: string, prefix: number): boolean {
  const family = isIPv4(network) ? 'ipv4' : 'ipv6'
  if (isIPv4(address) !== (family === 'ipv4')) return false
  return listOf([[network, prefix]], family).check(address, family)
}

function listOf(networks: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family)
  return list
}
