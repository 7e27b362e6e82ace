// WASI 0.2 as the QuickJS engine imports it, lowered: its functions take numbers. What the engine never calls traps, and
// says so.
import { systemClock } from '#core/clock'

import { GuestExit } from '../../wasi/cli.ts'
import { createLineWriter } from '../../wasi/lines.ts'
import type { GuestMemory } from '../guest-memory.ts'

export type CoreFunction = (...values: never[]) => unknown
/** By the names of interfaces without versions. */
export type CoreImports = Readonly<Record<string, Readonly<Record<string, CoreFunction>>>>

const NS_PER_MS = 1e6
const STDIN = 1
const STDOUT = 2
const STDERR = 3
/** Bytes that one write takes. */
const WRITE_BYTES = 65_536n
const OK = 0
const NONE = 0

export function wasiFunctions(
  memory: GuestMemory,
  log: (stream: 'stdout' | 'stderr', text: string) => void,
): CoreImports {
  const lines = new Map([
    [STDOUT, createLineWriter((text) => log('stdout', text))],
    [STDERR, createLineWriter((text) => log('stderr', text))],
  ])
  const write = (stream: number, at: number, length: number, result: number): void => {
    lines.get(stream)?.write(memory.bytes(at, length))
    memory.setU8(result, OK)
  }
  const emptyList = (result: number): void => {
    memory.length = 0
    memory.setSlice(result, 4)
  }
  const none = (result: number): void => memory.setU8(result, NONE)
  return {
    'wasi:cli/environment': { 'get-environment': emptyList },
    'wasi:cli/exit': {
      exit(status: number) {
        throw new GuestExit(status)
      },
    },
    'wasi:cli/stdin': { 'get-stdin': () => STDIN },
    'wasi:cli/stdout': { 'get-stdout': () => STDOUT },
    'wasi:cli/stderr': { 'get-stderr': () => STDERR },
    'wasi:cli/terminal-stdin': { 'get-terminal-stdin': none },
    'wasi:cli/terminal-stdout': { 'get-terminal-stdout': none },
    'wasi:cli/terminal-stderr': { 'get-terminal-stderr': none },
    'wasi:clocks/monotonic-clock': { now: () => BigInt(Math.floor(systemClock.monotonic() * NS_PER_MS)) },
    'wasi:clocks/wall-clock': {
      now(result: number) {
        const ms = systemClock.now()
        memory.setU64(result, BigInt(Math.floor(ms / 1000)))
        memory.setU32(result + 8, Math.floor((ms % 1000) * NS_PER_MS))
      },
    },
    'wasi:filesystem/preopens': { 'get-directories': emptyList },
    'wasi:io/streams': {
      '[method]output-stream.check-write'(_stream: number, result: number) {
        memory.setU8(result, OK)
        memory.setU64(result + 8, WRITE_BYTES)
      },
      '[method]output-stream.write': write,
      '[method]output-stream.blocking-write-and-flush': write,
      '[method]output-stream.blocking-flush': (_stream: number, result: number) => memory.setU8(result, OK),
      '[resource-drop]output-stream': () => {},
    },
    'wasi:random/insecure-seed': {
      'insecure-seed'(result: number) {
        const [first = 0n, second = 0n] = crypto.getRandomValues(new BigUint64Array(2))
        memory.setU64(result, first)
        memory.setU64(result + 8, second)
      },
    },
  }
}
