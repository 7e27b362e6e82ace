import { expect, test } from 'vitest'

import { systemClock } from '#core/clock'
import type { FunctionName, InvocationId } from '#core/ids'
import type { StoredLogLine } from '#core/record'

import { AUTH, startGateway } from '../start.ts'
import { until } from '../raw.ts'

const ID = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44' as InvocationId

function line(text: string): StoredLogLine {
  return { at: 1, stream: 'stdout', text, function: 'talk' as FunctionName, invocation: ID }
}

test('the lines of an invocation and the newest of a function', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('talk')
  gateway.records.writeLogs(['a', 'b', 'c'].map(line))
  const ofInvocation = await fetch(`${gateway.url}/v1/invocations/${ID}/logs`, { headers: AUTH })
  expect(await ofInvocation.json()).toEqual({ lines: ['a', 'b', 'c'].map(line) })
  const ofFunction = await fetch(`${gateway.url}/v1/functions/talk/logs?limit=2`, { headers: AUTH })
  expect(await ofFunction.json()).toEqual({ lines: ['b', 'c'].map(line) })
})

test('following gives the newest lines and then every new one, as server-sent events', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('talk')
  gateway.records.writeLogs([line('old')])
  const leaving = new AbortController()
  const response = await fetch(`${gateway.url}/v1/functions/talk/logs?follow=true`, {
    headers: AUTH,
    signal: leaving.signal,
  })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const next = async (): Promise<string> => Buffer.from((await reader.read()).value as Uint8Array).toString()
  expect(await next()).toBe(`data: ${JSON.stringify(line('old'))}\n\n`)
  gateway.records.writeLogs([line('new')])
  expect(await next()).toBe(`data: ${JSON.stringify(line('new'))}\n\n`)
  leaving.abort()
  await until(() => gateway.records.followers === 0)
})

test('a follower of a quiet function hears a heartbeat', async () => {
  const beats: (() => void)[] = []
  const clock = {
    ...systemClock,
    every: (ms: number, task: () => void) => (ms === 15_000 && beats.push(task), { [Symbol.dispose]() {} }),
  }
  await using gateway = await startGateway({}, clock)
  await gateway.deploy('quiet')
  const response = await fetch(`${gateway.url}/v1/functions/quiet/logs?follow=true`, { headers: AUTH })
  await until(() => beats.length === 1)
  beats[0]?.()
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toMatch(/^: .*\n\n$/)
})

test.for(['?follow=yes', '?limit=0', '?limit=10001'])('the logs refuse %s', async (query) => {
  await using gateway = await startGateway()
  await gateway.deploy('talk')
  expect((await fetch(`${gateway.url}/v1/functions/talk/logs${query}`, { headers: AUTH })).status).toBe(400)
})

test('a shutdown ends what follows', async () => {
  await using gateway = await startGateway()
  await gateway.deploy('talk')
  const response = await fetch(`${gateway.url}/v1/functions/talk/logs?follow=true`, { headers: AUTH })
  const [text] = await Promise.all([response.text(), gateway.gateway[Symbol.asyncDispose]()])
  expect(text).toBe('')
})
