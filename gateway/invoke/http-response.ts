// Writes what a function answers to the client as it comes.
import type { ServerResponse } from 'node:http'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { Invocation, LogLine, ResponseHead, Start } from '#core/invocation'
import type { InvocationSink } from '#core/invoker'

import type { Answers } from './answers.ts'
import { forwardResponse, headerOf } from './headers.ts'
import type { SyncRecord } from './sync-records.ts'

const NOTHING = new Uint8Array(0)

/** What all responses of a gateway share. */
export interface ResponseParts {
  readonly clock: Clock
  readonly answers: Answers
}

/** `streaming`: head sent, end not. `ended`: the client has all of it. `broken`: it cannot be continued. */
type State = 'open' | 'streaming' | 'ended' | 'broken'

export class HttpResponse implements InvocationSink {
  readonly #res: ServerResponse
  readonly #invocation: Invocation
  readonly #parts: ResponseParts
  readonly #record: Pick<SyncRecord, 'log'>
  #state: State = 'open'
  #start: Start | undefined
  #ranFrom = 0
  /** What the function declared as Content-Length and has not sent yet. */
  #left = Number.POSITIVE_INFINITY
  #status = 0
  #head: ResponseHead | undefined
  #bytes = 0
  /** One wait for all chunks that come while the client does not read. */
  #draining: Promise<void> | undefined

  constructor(res: ServerResponse, invocation: Invocation, parts: ResponseParts, record: Pick<SyncRecord, 'log'>) {
    this.#res = res
    this.#invocation = invocation
    this.#parts = parts
    this.#record = record
  }

  /** Whether nothing has been sent, so that another answer still can be. */
  get untouched(): boolean {
    return this.#state === 'open'
  }

  /** Whether the client got everything. */
  get complete(): boolean {
    return this.#state === 'ended'
  }

  /** For the record. */
  get sent(): { readonly head: ResponseHead; readonly bodyBytes: number } | undefined {
    return this.#head === undefined ? undefined : { head: this.#head, bodyBytes: this.#bytes }
  }

  /** What every answer to this call says about the call, flat. */
  platformHeaders(runMs?: number): string[] {
    const { id, version } = this.#invocation
    const headers = ['hearth-invocation-id', id, 'hearth-version', String(version.number)]
    const start = this.#start
    if (start === undefined) return headers
    const run = runMs === undefined ? '' : `, run;dur=${millis(runMs)}`
    const waited = start.kind === 'warm' && start.queueMs === 0 ? NOT_WAITED : waitedFor(start)
    headers.push('hearth-start', start.kind, 'server-timing', waited + run)
    return headers
  }

  started(start: Start): void {
    this.#start = start
    this.#ranFrom = this.#parts.clock.monotonic()
  }

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    if (this.#state !== 'open' || this.#res.destroyed) return
    this.#head = head
    this.#status = head.status
    try {
      if (head.status < 200) throw new RangeError(`a final status is at least 200: received ${head.status}`)
      if (whole === undefined) this.#beginStream(head)
      else this.#sendWhole(head, whole)
    } catch (error) {
      this.#refuse(error)
    }
  }

  chunk(bytes: Uint8Array): void | Promise<void> {
    const res = this.#res
    if (this.#state !== 'streaming' || res.destroyed) return
    this.#bytes += bytes.length
    this.#left -= bytes.length
    if (this.#left < 0) return this.break()
    if (bytes.length === 0 || this.#bodiless() || res.write(bytes)) return
    this.#draining ??= new Promise((resolve) => {
      const settle = (): void => {
        res.off('drain', settle)
        res.off('close', settle)
        this.#draining = undefined
        resolve()
      }
      res.on('drain', settle)
      res.on('close', settle)
    })
    return this.#draining
  }

  end(): void {
    if (this.#state !== 'streaming') return
    const cutShort = this.#left > 0 && this.#left !== Number.POSITIVE_INFINITY && !this.#bodiless()
    if (cutShort) return this.break()
    this.#state = 'ended'
    this.#res.end()
  }

  log(line: LogLine): void {
    this.#record.log(line)
  }

  /** Cuts the connection after what has been sent, so that the client does not take a part for the whole. */
  break(): void {
    this.#state = 'broken'
    this.#res.req.socket.destroySoon()
  }

  /** What was wrong with the answer of the function, when it was that; then nothing has been sent. */
  refused: PlatformError | undefined

  #sendWhole(head: ResponseHead, whole: Uint8Array): void {
    const headers = this.platformHeaders(this.#parts.clock.monotonic() - this.#ranFrom)
    forwardResponse(head.headers, headers)
    const empty = this.#bodiless()
    if (head.status !== 204 && head.status !== 304) {
      const declared = this.#invocation.request.method === 'HEAD' ? contentLength(head) : undefined
      headers.push('content-length', String(declared ?? whole.length))
    }
    this.#res.writeHead(head.status, headers)
    this.#state = 'ended'
    this.#bytes = empty ? 0 : whole.length
    this.#parts.answers.end(this.#res, empty ? NOTHING : whole)
  }

  #beginStream(head: ResponseHead): void {
    const headers = this.platformHeaders()
    forwardResponse(head.headers, headers)
    const declared = contentLength(head)
    if (declared !== undefined && head.status !== 204) {
      headers.push('content-length', String(declared))
      this.#left = declared
    }
    this.#res.writeHead(head.status, headers)
    this.#state = 'streaming'
    // The head goes out by itself, but together with a chunk that comes in the same tick.
    const { socket } = this.#res
    socket?.cork()
    process.nextTick(() => socket?.uncork())
    this.#res.flushHeaders()
  }

  #bodiless(): boolean {
    return this.#status === 204 || this.#status === 304 || this.#invocation.request.method === 'HEAD'
  }

  /** node:http refuses what is not HTTP: a status of 99, a line break in a header. */
  #refuse(error: unknown): void {
    if (this.#res.headersSent) return this.break()
    this.#head = undefined
    const detail = `the response of the function is not valid HTTP: ${(error as Error).message}`
    this.refused = new PlatformError('function-failed', { detail, cause: error })
  }
}

function contentLength(head: ResponseHead): number | undefined {
  const value = headerOf(head.headers, 'content-length')
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

const NOT_WAITED = 'queue;dur=0, start;dur=0'

function waitedFor({ queueMs, startMs }: Start): string {
  return `queue;dur=${millis(queueMs)}, start;dur=${millis(startMs)}`
}

/** From a table, for to write a fraction takes longer than all else about a header. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, index) => String(index / 1000).slice(1))

/** Three decimals: microseconds. */
function millis(ms: number): string {
  const us = Math.round(ms * 1000)
  const whole = Math.trunc(us / 1000)
  return `${whole}${THOUSANDTHS[us - whole * 1000]!}`
}
