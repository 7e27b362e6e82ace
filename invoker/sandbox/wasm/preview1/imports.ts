// wasi_snapshot_preview1 for commands: standard streams, environment, clocks, random, sleeping, leaving. No files, no
// sockets. What else there is answers "not supported".
import type { Clock } from '#core/clock'

import { GuestExit } from '../wasi/cli.ts'
import { randomBytes } from '../wasi/random.ts'
import type { Waits } from '../wasi/waits.ts'

/** One run of a command, as its imports need it. */
export interface Process {
  readonly env: Readonly<Record<string, string>>
  /** Standard input, whole. */
  readonly input: Uint8Array
  readonly write: (fd: 1 | 2, bytes: Uint8Array) => void
}

export interface Preview1Options {
  /** Known when the command has been instantiated. */
  readonly memory: () => WebAssembly.Memory
  readonly process: () => Process
  readonly clock: Clock
  readonly waits: Waits
}

const SUCCESS = 0
const BAD_FD = 8
const INVALID = 28
const NOT_SUPPORTED = 58
const SEEK_PIPE = 70
const CHARACTER_DEVICE = 2
const NS_PER_MS = 1_000_000n
const ARGUMENTS = ['main']

export function preview1Imports(module: WebAssembly.Module, options: Preview1Options): Record<string, unknown> {
  const implemented: Record<string, unknown> = {
    ...processImports(options),
    ...fdImports(options),
    ...timeImports(options),
  }
  const asked = WebAssembly.Module.imports(module).map(({ name }) => [name, implemented[name] ?? unsupported] as const)
  return Object.fromEntries(asked)
}

function unsupported(): number {
  return NOT_SUPPORTED
}

function viewOf({ memory }: Preview1Options): DataView {
  return new DataView(memory().buffer)
}

function processImports(options: Preview1Options): Record<string, unknown> {
  const environment = (): Uint8Array[] =>
    Object.entries(options.process().env).map(([name, value]) => Buffer.from(`${name}=${value}\0`))
  const args = ARGUMENTS.map((argument) => Buffer.from(`${argument}\0`))
  const sizes = (texts: readonly Uint8Array[], countAt: number, bytesAt: number): number => {
    const view = viewOf(options)
    view.setUint32(countAt, texts.length, true)
    view.setUint32(bytesAt, sum(texts), true)
    return SUCCESS
  }
  const put = (texts: readonly Uint8Array[], pointersAt: number, textAt: number): number => {
    const view = viewOf(options)
    const bytes = new Uint8Array(view.buffer)
    let at = textAt
    for (const [index, text] of texts.entries()) {
      view.setUint32(pointersAt + 4 * index, at, true)
      bytes.set(text, at)
      at += text.length
    }
    return SUCCESS
  }
  return {
    args_sizes_get: (countAt: number, bytesAt: number) => sizes(args, countAt, bytesAt),
    args_get: (pointersAt: number, textAt: number) => put(args, pointersAt, textAt),
    environ_sizes_get: (countAt: number, bytesAt: number) => sizes(environment(), countAt, bytesAt),
    environ_get: (pointersAt: number, textAt: number) => put(environment(), pointersAt, textAt),
    proc_exit(code: number) {
      throw new GuestExit(code)
    },
    sched_yield: () => SUCCESS,
    random_get(at: number, count: number) {
      new Uint8Array(viewOf(options).buffer).set(randomBytes(count), at)
      return SUCCESS
    },
  }
}

function fdImports(options: Preview1Options): Record<string, unknown> {
  let read = 0
  /** The pieces of memory that an array of iovecs names. */
  const pieces = (at: number, count: number): Uint8Array[] => {
    const view = viewOf(options)
    return Array.from({ length: count }, (_, index) => {
      const piece = at + 8 * index
      return new Uint8Array(view.buffer, view.getUint32(piece, true), view.getUint32(piece + 4, true))
    })
  }
  return {
    fd_read(fd: number, piecesAt: number, count: number, readAt: number) {
      if (fd !== 0) return BAD_FD
      const { input } = options.process()
      const before = read
      for (const piece of pieces(piecesAt, count)) {
        const bytes = input.subarray(read, read + piece.length)
        piece.set(bytes)
        read += bytes.length
      }
      viewOf(options).setUint32(readAt, read - before, true)
      return SUCCESS
    },
    fd_write(fd: number, piecesAt: number, count: number, writtenAt: number) {
      if (fd !== 1 && fd !== 2) return BAD_FD
      const written = pieces(piecesAt, count).map((piece) => piece.slice())
      options.process().write(fd, written.length === 1 ? written[0]! : Buffer.concat(written))
      viewOf(options).setUint32(writtenAt, sum(written), true)
      return SUCCESS
    },
    fd_close: (fd: number) => (isOpen(fd) ? SUCCESS : BAD_FD),
    fd_seek: (fd: number) => (isOpen(fd) ? SEEK_PIPE : BAD_FD),
    fd_tell: (fd: number) => (isOpen(fd) ? SEEK_PIPE : BAD_FD),
    fd_fdstat_set_flags: (fd: number) => (isOpen(fd) ? SUCCESS : BAD_FD),
    fd_fdstat_get(fd: number, at: number) {
      if (!isOpen(fd)) return BAD_FD
      const stat = new Uint8Array(viewOf(options).buffer, at, 24)
      stat.fill(0)
      stat[0] = CHARACTER_DEVICE
      // All rights: what cannot be done is refused where it is tried.
      stat.fill(0xff, 8)
      return SUCCESS
    },
    fd_filestat_get(fd: number, at: number) {
      if (!isOpen(fd)) return BAD_FD
      const stat = new Uint8Array(viewOf(options).buffer, at, 64)
      stat.fill(0)
      stat[16] = CHARACTER_DEVICE
      return SUCCESS
    },
    // No directory was opened ahead: how a libc learns that there are no files.
    fd_prestat_get: () => BAD_FD,
    fd_prestat_dir_name: () => BAD_FD,
  }
}

function timeImports(options: Preview1Options): Record<string, unknown> {
  const { clock, waits } = options
  const now = (id: number): bigint => {
    const ms = id === 0 ? clock.now() : clock.monotonic()
    return BigInt(Math.floor(ms * 1000)) * 1000n
  }
  /** ns until a subscription is ready: 0 for anything but a clock, since standard streams never make one wait. */
  const waitOf = (view: DataView, at: number): bigint => {
    if (view.getUint8(at + 8) !== 0) return 0n
    const timeout = view.getBigUint64(at + 24, true)
    const absolute = (view.getUint16(at + 40, true) & 1) === 1
    const wait = absolute ? timeout - now(view.getUint32(at + 16, true)) : timeout
    return wait > 0n ? wait : 0n
  }
  const report = (from: number, to: number, count: number, limit: bigint): number => {
    const view = viewOf(options)
    let reported = 0
    for (let index = 0; index < count; index++) {
      const at = from + 48 * index
      if (view.getUint8(at + 8) === 0 && waitOf(view, at) > limit) continue
      const event = to + 32 * reported++
      new Uint8Array(view.buffer, event, 32).fill(0)
      view.setBigUint64(event, view.getBigUint64(at, true), true)
      view.setUint8(event + 10, view.getUint8(at + 8))
    }
    return reported
  }
  return {
    clock_res_get(_id: number, at: number) {
      viewOf(options).setBigUint64(at, 1000n, true)
      return SUCCESS
    },
    clock_time_get(id: number, _precision: bigint, at: number) {
      if (id > 1) return INVALID
      viewOf(options).setBigUint64(at, now(id), true)
      return SUCCESS
    },
    // Suspends the command while it sleeps: the worker goes on with other calls.
    poll_oneoff: new WebAssembly.Suspending(async (from: number, to: number, count: number, countAt: number) => {
      if (count === 0) return INVALID
      const view = viewOf(options)
      const delays = Array.from({ length: count }, (_, index) => waitOf(view, from + 48 * index))
      const shortest = delays.reduce((least, delay) => (delay < least ? delay : least))
      const ms = Number((shortest + NS_PER_MS - 1n) / NS_PER_MS)
      await waits.until(new Promise<void>((resolve) => clock.after(ms, resolve)))
      viewOf(options).setUint32(countAt, Math.max(1, report(from, to, count, shortest)), true)
      return SUCCESS
    }),
  }
}

function isOpen(fd: number): boolean {
  return fd >= 0 && fd <= 2
}

function sum(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((total, piece) => total + piece.length, 0)
}
