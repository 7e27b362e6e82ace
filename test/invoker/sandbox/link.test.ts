import { duplexPair } from 'node:stream'

import { describe, expect, it } from 'vitest'

import type { FunctionVersion } from '#core/function'
import { type Frame, FrameFlag, FrameType, INLINE_BYTES, splitHead, WINDOW_BYTES } from '#core/frames'
import { newInvocationId } from '#core/ids'
import type { Body, Invocation, LogLine, ResponseHead, ResponseSink } from '#core/invocation'
import { parseSpec } from '#core/spec'
import { FrameSocket } from '#invoker/sandbox/frame-socket'
import { SandboxLink } from '#invoker/sandbox/link'

class RecordingSink implements ResponseSink {
  heads: ResponseHead[] = []
  chunks: Buffer[] = []
  logs: LogLine[] = []
  ends = 0
  /** What chunk() answers. */
  pressure: Promise<void> | undefined

  head(head: ResponseHead, whole: Uint8Array | undefined): void {
    this.heads.push(head)
    if (whole !== undefined) this.chunks.push(Buffer.from(whole))
  }
  chunk(bytes: Uint8Array): void | Promise<void> {
    this.chunks.push(Buffer.from(bytes))
    return this.pressure
  }
  end(): void {
    this.ends += 1
  }
  log(line: LogLine): void {
    this.logs.push(line)
  }
}

/** A link, and the sandbox end of it as a socket that answers by `onFrame`. */
function connect(onFrame: (frame: Frame, peer: FrameSocket) => void) {
  const [here, there] = duplexPair()
  const violations: Error[] = []
  const received: Frame[] = []
  const socket = new FrameSocket(here, { onFrame: (frame) => link.receive(frame), onClose: () => link.close() })
  const link = new SandboxLink({ socket, channel: 0, onViolation: (error) => violations.push(error) })
  const peer = new FrameSocket(there, {
    onFrame: (frame) => {
      received.push(frame)
      onFrame(frame, peer)
    },
    onClose: () => {},
  })
  return { link, peer, received, violations, socket }
}

function invocation(body: Body = new Uint8Array(0)): Invocation {
  return {
    id: newInvocationId(),
    version: { spec: parseSpec({}, 'node') } as FunctionVersion,
    trigger: 'http',
    request: { method: 'POST', target: '/x?y=1', origin: 'http://h', headers: [['a', 'b']], body },
    attempt: 1,
    acceptedAt: 0,
  }
}

const OK = JSON.stringify({ status: 200, headers: [['x', 'y']] })
const header = (type: number, call: number, flags = 0) => ({ type, flags, channel: 0, call }) as const
const never = new AbortController().signal

describe('SandboxLink.invoke()', () => {
  it('delivers a whole response that comes in one frame', async () => {
    const { link, received } = connect((frame, peer) => {
      if (frame.type !== FrameType.invoke) return
      peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), Buffer.from('hello'), OK)
    })
    const sink = new RecordingSink()
    expect(await link.invoke(invocation(), sink, never)).toEqual({ kind: 'responded', status: 200 })
    expect(sink).toMatchObject({
      heads: [{ status: 200, headers: [['x', 'y']] }],
      chunks: [Buffer.from('hello')],
      ends: 1,
    })
    expect(splitHead(received[0]!.payload).head).toMatchObject({ method: 'POST', target: '/x?y=1', attempt: 1 })
  })

  it('keeps many calls apart', async () => {
    const { link } = connect((frame, peer) => {
      const text = splitHead(frame.payload).body
      setImmediate(() => peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), text, OK))
    })
    const texts = Array.from({ length: 200 }, (_, index) => `body ${index}`)
    const sinks = await Promise.all(
      texts.map(async (text) => {
        const sink = new RecordingSink()
        await link.invoke(invocation(Buffer.from(text)), sink, never)
        return Buffer.concat(sink.chunks).toString()
      }),
    )
    expect(sinks).toEqual(texts)
  })

  it('streams a large body within the window and waits for more of it', async () => {
    const body = Buffer.alloc(3 * WINDOW_BYTES + 17, 'x')
    let got = 0
    let most = 0
    const { link, received } = connect((frame, peer) => {
      if (frame.type !== FrameType.body) return
      got += frame.payload.length
      most = Math.max(most, got)
      if (got >= WINDOW_BYTES || (frame.flags & FrameFlag.end) !== 0) {
        const grant = Buffer.alloc(4)
        grant.writeUInt32LE(got)
        got = 0
        peer.send(header(FrameType.window, frame.call), grant)
      }
      if ((frame.flags & FrameFlag.end) === 0) return
      peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), undefined, OK)
    })
    await link.invoke(invocation(body), new RecordingSink(), never)
    const sent = received.filter((frame) => frame.type === FrameType.body).map((frame) => frame.payload)
    expect(Buffer.concat(sent).equals(body)).toBe(true)
    expect(most).toBe(WINDOW_BYTES)
  })

  it('sends a body of INLINE_BYTES with its head and a longer one after it', async () => {
    const { link, received } = connect((frame, peer) => {
      if ((frame.flags & FrameFlag.end) === 0) return
      peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), undefined, OK)
    })
    await link.invoke(invocation(Buffer.alloc(INLINE_BYTES)), new RecordingSink(), never)
    await link.invoke(invocation(Buffer.alloc(INLINE_BYTES + 1)), new RecordingSink(), never)
    expect(received.map((frame) => frame.type)).toEqual([
      FrameType.invoke,
      FrameType.invoke,
      FrameType.body,
      FrameType.body,
      FrameType.body,
    ])
  })

  it('grants no window while the sink asks to wait', async () => {
    const half = Buffer.alloc(65_536)
    const { link, peer, received } = connect((frame, socket) => {
      if (frame.type !== FrameType.invoke) return
      socket.send(header(FrameType.head, frame.call), undefined, OK)
      for (let sent = 0; sent < WINDOW_BYTES; sent += half.length) socket.send(header(FrameType.body, frame.call), half)
    })
    const gate = Promise.withResolvers<void>()
    const sink = new RecordingSink()
    sink.pressure = gate.promise
    const outcome = link.invoke(invocation(), sink, never)
    await expect.poll(() => Buffer.concat(sink.chunks).length).toBe(WINDOW_BYTES)
    expect(received.filter((frame) => frame.type === FrameType.window)).toEqual([])
    gate.resolve()
    await expect.poll(() => received.filter((frame) => frame.type === FrameType.window).length).toBeGreaterThan(0)
    peer.send(header(FrameType.body, received[0]!.call, FrameFlag.end | FrameFlag.done))
    expect(await outcome).toMatchObject({ kind: 'responded' })
  })

  it('asks to stop on abort, and is cancelled once the sandbox says so', async () => {
    const { link } = connect((frame, peer) => {
      if (frame.type === FrameType.cancel) peer.send(header(FrameType.done, frame.call, FrameFlag.cancelled))
    })
    const abort = new AbortController()
    const outcome = link.invoke(invocation(), new RecordingSink(), abort.signal)
    abort.abort()
    expect(await outcome).toEqual({ kind: 'cancelled' })
    expect(await link.invoke(invocation(), new RecordingSink(), abort.signal)).toEqual({ kind: 'cancelled' })
  })

  it('takes the end of what a call ran in for the outcome, and runs others', async () => {
    const { link } = connect((frame, peer) => {
      if (frame.type !== FrameType.invoke) return
      const end = frame.call === 1 ? { kind: 'exited', detail: 'trap: unreachable' } : { kind: 'out-of-memory' }
      peer.send(header(FrameType.done, frame.call, FrameFlag.done), Buffer.from(JSON.stringify(end)))
    })
    const run = () => link.invoke(invocation(), new RecordingSink(), never)
    expect(await run()).toEqual({ kind: 'exited', detail: 'trap: unreachable' })
    expect(await run()).toEqual({ kind: 'out-of-memory', limitMiB: 256 })
  })

  it('turns a failure frame into a failed outcome, in mid-response too', async () => {
    const failure = { type: 'TypeError', message: 'no', stack: 'TypeError: no\n  at x' }
    const { link } = connect((frame, peer) => {
      peer.send(header(FrameType.head, frame.call), Buffer.from('part'), OK)
      peer.send(header(FrameType.failure, frame.call, FrameFlag.done), Buffer.from(JSON.stringify(failure)))
    })
    const sink = new RecordingSink()
    expect(await link.invoke(invocation(), sink, never)).toEqual({ kind: 'failed', failure })
    expect(sink.ends).toBe(0)
  })

  it.each([
    [{ status: 99, headers: [] }, 'status'],
    [{ status: 200, headers: [['bad name', '']] }, 'header name'],
    [{ status: 200, headers: [['x', 'a\r\nset-cookie: b']] }, 'value of the header'],
  ])('makes the unsendable head %j the failure of the function', async (head, message) => {
    const { link, violations } = connect((frame, peer) => {
      peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), undefined, JSON.stringify(head))
    })
    const sink = new RecordingSink()
    const outcome = await link.invoke(invocation(), sink, never)
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { type: 'InvalidResponse', message: expect.stringContaining(message) },
    })
    expect(sink.heads).toEqual([])
    expect(violations).toEqual([])
  })

  it('cancels when the source of the body breaks, so that half a body is never taken for a whole one', async () => {
    const { link, received } = connect((frame, peer) => {
      if (frame.type === FrameType.cancel) peer.send(header(FrameType.done, frame.call, FrameFlag.cancelled))
    })
    expect(await link.invoke(invocation(broken()), new RecordingSink(), never)).toEqual({ kind: 'cancelled' })
    expect(received.some((frame) => frame.type === FrameType.body && (frame.flags & FrameFlag.end) !== 0)).toBe(false)
  })

  it('resolves with undefined when the sandbox ends under the call', async () => {
    const { link, peer } = connect((frame) => {
      if (frame.type === FrameType.invoke) peer.close()
    })
    expect(await link.invoke(invocation(), new RecordingSink(), never)).toBeUndefined()
    expect(await link.invoke(invocation(), new RecordingSink(), never)).toBeUndefined()
  })

  it('holds back the end of a call whose error ends the sandbox until that is gone', async () => {
    const failure = Buffer.from('{"type":"RangeError","message":"m"}')
    const { link, peer } = connect((frame, other) => {
      if (frame.type !== FrameType.invoke || frame.call === 1) return
      other.send(header(FrameType.failure, 0), failure)
      other.send(header(FrameType.failure, frame.call, FrameFlag.done), failure)
    })
    const beside = link.invoke(invocation(), new RecordingSink(), never)
    let over = false
    const failed = link.invoke(invocation(), new RecordingSink(), never).finally(() => (over = true))
    await link.ending
    await new Promise((resolve) => setImmediate(resolve))
    expect([over, link.uncaught]).toEqual([false, 'RangeError'])
    peer.close()
    expect(await failed).toMatchObject({ kind: 'failed', failure: { type: 'RangeError', message: 'm' } })
    expect(await beside).toBeUndefined()
  })

  it('drops the output of a call over the limit and says so once', async () => {
    const text = Buffer.alloc(9 + 600_000, 'a')
    text.writeDoubleLE(1, 0)
    text[8] = 2
    const { link } = connect((frame, peer) => {
      for (let line = 0; line < 4; line++) peer.send(header(FrameType.log, frame.call), text)
      peer.send(header(FrameType.head, frame.call, FrameFlag.end | FrameFlag.done), undefined, OK)
    })
    const sink = new RecordingSink()
    await link.invoke(invocation(), sink, never)
    expect(sink.logs.map((line) => [line.stream, line.text.slice(0, 14)])).toEqual([
      ['stderr', 'aaaaaaaaaaaaaa'],
      ['stderr', '[output after '],
    ])
  })

  it.each([
    [
      'body before a head',
      (peer: FrameSocket, call: number) => peer.send(header(FrameType.body, call), Buffer.from('x')),
    ],
    [
      'a head that is not JSON',
      (peer: FrameSocket, call: number) => peer.send(header(FrameType.head, call), undefined, 'nope'),
    ],
    [
      'a frame of an unknown type',
      (peer: FrameSocket, call: number) => peer.send({ ...header(1, call), type: 99 }, Buffer.from('x')),
    ],
    [
      'more than the window',
      (peer: FrameSocket, call: number) => {
        peer.send(header(FrameType.head, call), undefined, OK)
        for (let sent = 0; sent <= WINDOW_BYTES; sent += 1_000_000)
          peer.send(header(FrameType.body, call), Buffer.alloc(1_000_000))
      },
    ],
  ])('reports %s as a violation', async (_, misbehave) => {
    const { link, violations } = connect((frame, peer) => misbehave(peer, frame.call))
    const sink = new RecordingSink()
    sink.pressure = new Promise(() => {})
    const outcome = link.invoke(invocation(), sink, never)
    await expect.poll(() => violations.length).toBeGreaterThan(0)
    link.close()
    expect(await outcome).toBeUndefined()
  })
})

describe('SandboxLink.load()', () => {
  it('sends code of any size and gives the result back', async () => {
    const code = Buffer.alloc(300_000, 'c')
    const got: Buffer[] = []
    const { link } = connect((frame, peer) => {
      if (frame.type === FrameType.body) got.push(frame.payload)
      if ((frame.flags & FrameFlag.end) !== 0) peer.send(header(FrameType.loaded, 0), Buffer.from('{"loaded":true}'))
    })
    expect(await link.load({ handler: '' }, code)).toEqual({ loaded: true })
    expect(Buffer.concat(got).equals(code)).toBe(true)
  })

  it('makes a failure of whatever the sandbox says instead of loaded', async () => {
    const { link } = connect((_, peer) => peer.send(header(FrameType.loaded, 0), Buffer.from('{"failure":{"type":7}}')))
    expect(await link.load({}, undefined)).toEqual({ loaded: false, failure: { type: 'Error', message: '' } })
  })
})

describe('SandboxLink.responsive()', () => {
  it('is true when the sandbox answers, false when it does not in time, false when it is gone', async () => {
    let answer = true
    const { link, socket } = connect((frame, peer) => {
      if (frame.type === FrameType.ping && answer) peer.send(header(FrameType.pong, 0))
    })
    expect(await link.responsive(1000)).toBe(true)
    answer = false
    expect(await link.responsive(20)).toBe(false)
    socket.close()
    expect(await link.responsive(1000)).toBe(false)
  })
})

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('first')
  throw new Error('client went away')
}
