import { expect, test } from 'vitest'

import { RecordBuffer } from '#store/records/buffer'

import { attempts, sampleLine, sampleRecord } from '../samples.ts'

test('a later write of a record replaces the one that waits', () => {
  const buffer = new RecordBuffer(10)
  const queued = sampleRecord({ state: 'queued' })
  buffer.add(queued)
  buffer.add({ ...queued, state: 'running', attempts: attempts(1) })
  expect(buffer.take(10).records).toMatchObject([{ state: 'running' }])
  expect(buffer.size).toBe(0)
})

test('a final record that waits is not replaced by a running one', () => {
  const buffer = new RecordBuffer(10)
  const done = sampleRecord({ state: 'failed', attempts: attempts(1) })
  buffer.add(done)
  buffer.add({ ...done, state: 'running' })
  expect(buffer.take(10).records).toEqual([done])
})

test('a full buffer drops succeeded sync records first, the oldest of them, and counts', () => {
  const buffer = new RecordBuffer(3)
  const failed = sampleRecord({ state: 'failed' })
  const [first, second, third] = [sampleRecord(), sampleRecord(), sampleRecord()]
  for (const record of [failed, first, second, third]) buffer.add(record)
  expect(buffer.dropped).toBe(1)
  expect(buffer.take(10).records).toEqual([failed, second, third])
})

test('then log lines are dropped, then other records', () => {
  const buffer = new RecordBuffer(2)
  const queued = [1, 2, 3].map(() => sampleRecord({ trigger: 'async', state: 'queued' }))
  buffer.addLines([sampleLine('a'), sampleLine('b')])
  buffer.add(queued[0]!)
  expect(buffer.take(0).lines).toEqual([])
  buffer.add(queued[1]!)
  buffer.add(queued[2]!)
  expect(buffer.dropped).toBe(3)
  expect(buffer.take(10)).toEqual({ records: queued.slice(1), lines: [] })
})

test('a batch put back brings nothing that a record written elsewhere has made old meanwhile', () => {
  const buffer = new RecordBuffer(10)
  const [done, other] = [sampleRecord({ attempts: attempts(1) }), sampleRecord()]
  buffer.add(done)
  buffer.add(other)
  const batch = buffer.take(10)
  buffer.supersede({ ...done, finishedAt: 1 })
  buffer.restore(batch)
  expect(buffer.take(10).records).toEqual([other])
})

test('a batch put back is older than what came since', () => {
  const buffer = new RecordBuffer(10)
  const [old, other, fresh] = [sampleRecord({ state: 'queued' }), sampleRecord(), sampleRecord()]
  buffer.add(old)
  buffer.add(other)
  buffer.addLines([sampleLine('1')])
  const batch = buffer.take(10)
  const newer = { ...old, state: 'running' as const }
  buffer.add(fresh)
  buffer.add(newer)
  buffer.addLines([sampleLine('2')])
  buffer.restore(batch)
  const { records, lines } = buffer.take(10)
  expect(records).toEqual([newer, other, fresh])
  expect(lines.map((line) => line.text)).toEqual(['1', '2'])
})
