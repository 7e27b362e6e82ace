import { Readable } from 'node:stream'

import { expect, test } from 'vitest'

import { readReports } from '#invoker/sandbox/docker/streams'

const never = new AbortController().signal

async function reportsOf(pieces: readonly string[]): Promise<string[]> {
  const reports: string[] = []
  await readReports(Readable.from(pieces.map((piece) => Buffer.from(piece))), (text) => reports.push(text), never)
  return reports
}

test('readReports() reads lines that come in pieces', async () => {
  const pieces = ['{"stream":"Step 1', '/2\\n"}\n{"status":"Pulling","id":"ab"}', '\n{"aux":{}}\n']
  expect(await reportsOf(pieces)).toEqual(['Step 1/2', 'ab: Pulling'])
})

test('readReports() throws the error that the daemon reports in the stream', async () => {
  const failed = reportsOf(['{"stream":"x"}\n{"errorDetail":{"message":"no such host"},"error":"no such host"}\n'])
  await expect(failed).rejects.toThrow('no such host')
})

test('readReports() ends with the reason of the signal', async () => {
  const silent = new Readable({ read() {} })
  const caller = new AbortController()
  const reading = readReports(silent, () => {}, caller.signal)
  caller.abort(new Error('no answer'))
  await expect(reading).rejects.toThrow('no answer')
})
