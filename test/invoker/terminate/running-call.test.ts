import { expect, test } from 'vitest'

import type { LogLine } from '#core/invocation'
import { RunningCall } from '#invoker/terminate/running-call'
import { Recorder } from '#test/contract/world'

test('after its outcome a call delivers its log lines only, and nothing once it is quiet', async () => {
  const sink = new Recorder()
  let quiet = 0
  const call = new RunningCall({ onStop: () => undefined }, sink, () => (quiet += 1), { limitMs: 10, deadline: 10 })
  call.head({ status: 200, headers: [] }, undefined)
  call.log(line('before'))
  call.stop({ kind: 'cancelled' })
  void call.chunk(new Uint8Array(3))
  call.end()
  call.log(line('winding down'))
  expect(await call.outcome).toEqual({ kind: 'cancelled' })
  expect(quiet).toBe(0)
  call.quiet()
  call.log(line('too late'))
  expect(quiet).toBe(1)
  expect([sink.chunks.length, sink.ended]).toEqual([0, false])
  expect(sink.lines.map(({ text }) => text)).toEqual(['before', 'winding down'])
})

function line(text: string): LogLine {
  return { at: 1, stream: 'stdout', text }
}
