import { expect, test } from 'vitest'

import { EXIT } from '#cli/exit'
import type { InvocationRecord } from '#core/record'
import { startOnGateway, type OnGateway } from '#test/cli/on-gateway'

async function submitted(cli: OnGateway, ...options: readonly string[]): Promise<InvocationRecord> {
  const { code, out } = await cli.run('invoke', 'up', '-d', 'x', '--async', ...options)
  expect(code).toBe(EXIT.ok)
  return cli.gateway.records.records.get(out.trim() as never)!
}

test('options of a call for later reach its lane, and mean the queue', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const options = ['--delay', '10m', '--priority', '5', '--max-age', '1h', '--max-attempts', '2', '-p', '/x']
  const { code, out } = await cli.run('invoke', 'up', '-d', 'x', ...options)
  expect(code).toBe(EXIT.ok)
  const [queued] = cli.gateway.lanes.added
  expect(queued).toMatchObject({ id: out.trim(), priority: 5, retry: { maxAttempts: 2 }, request: { target: '/x' } })
  expect((queued?.notBefore ?? 0) - (queued?.acceptedAt ?? 0)).toBe(600_000)
  expect((queued?.expiresAt ?? 0) - (queued?.notBefore ?? 0)).toBe(3_600_000)
  const at = Date.now() + 86_400_000
  expect(await cli.run('invoke', 'up', '--run-at', new Date(at).toISOString())).toMatchObject({ code: EXIT.ok })
  expect(cli.gateway.lanes.added[1]?.notBefore).toBe(at)
})

test('a duration that is none is refused before anything is sent', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const { code, err } = await cli.run('invoke', 'up', '--delay', 'soon')
  expect(code).toBe(EXIT.usage)
  expect(err).toContain('--delay must be a duration such as 500ms, 30s, 10m or 2h: received "soon"')
})

test('with a key a call is made once', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  for (const _ of [1, 2]) expect(await cli.run('invoke', 'up', '-d', 'x', '-k', 'one')).toMatchObject({ out: 'hello' })
  expect(cli.gateway.invoker.invocations).toHaveLength(1)
  const ids = [await submitted(cli, '-k', 'two'), await submitted(cli, '-k', 'two')].map(({ id }) => id)
  expect(ids[0]).toBe(ids[1])
})

test('one is cancelled, once', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const { id } = await submitted(cli)
  expect(await cli.run('invocations', 'cancel', id)).toEqual({ code: EXIT.ok, out: `cancelled ${id}\n`, err: '' })
  const again = await cli.run('invocations', 'cancel', id)
  expect(again.code).toBe(EXIT.failed)
  expect(again.err).toContain('error: The invocation is over')
  const running = await submitted(cli)
  cli.gateway.lanes.running.add(running.id)
  expect(JSON.parse((await cli.run('invocations', 'cancel', running.id, '--json')).out)).toEqual({
    id: running.id,
    state: 'cancelling',
  })
})

test('one is replayed, on another version when it is named', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const record = await submitted(cli)
  await cli.gateway.deploy('up', '?timeoutMs=5000')
  const input = { headers: [], body: 'again', bodyEncoding: 'utf8' } as const
  cli.gateway.records.write({ ...record, state: 'failed', input })
  const { code, out } = await cli.run('invocations', 'replay', record.id)
  expect(code).toBe(EXIT.ok)
  expect(cli.gateway.lanes.added.at(-1)).toMatchObject({ id: out.trim(), version: 1, cause: { replayOf: record.id } })
  await cli.run('invocations', 'replay', record.id, '--version', '2')
  expect(cli.gateway.lanes.added.at(-1)).toMatchObject({ version: 2 })
  expect((await cli.run('invocations', record.id, '--input')).out).toMatch(/^input +again$/m)
})

test.for([
  [['invocations', 'cancel'], 'hearth invocations cancel needs <id>'],
  [['invocations', 'stop', 'x'], 'hearth invocations cannot "stop"'],
] as const)('%j is refused', async ([argv, message]) => {
  await using cli = await startOnGateway()
  const { code, err } = await cli.run(...argv)
  expect({ code, err }).toEqual({ code: EXIT.usage, err: expect.stringContaining(message) as string })
})

test('following shows a line for every change', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const record = await submitted(cli)
  const leaving = new AbortController()
  let out = ''
  const following = cli.follow((text) => (out += text), leaving.signal, 'invocations', '-f', '--function', 'up')
  await expect.poll(() => out).toContain('queued')
  const attempt = { number: 1, startedAt: 1, finishedAt: 2, start: 'warm' } as const
  const error = { code: 'function-failed', message: 'no such order' } as const
  const change = (next: Partial<InvocationRecord>): void => cli.gateway.records.write({ ...record, ...next })
  change({ state: 'running', attempts: [{ ...attempt, state: 'running' }] })
  change({ state: 'queued', notBefore: 5000, attempts: [{ ...attempt, state: 'failed', error }] })
  const timings = { queueMs: 1, startMs: 0, runMs: 6.2 }
  const last = { ...attempt, number: 2, state: 'succeeded', timings } as const
  const result = { status: 200, headers: [], bodyBytes: 0 }
  change({ state: 'succeeded', finishedAt: 9000, result, attempts: [{ ...attempt, state: 'failed' }, last] })
  await expect.poll(() => out).toContain('succeeded')
  leaving.abort()
  expect(await following).toBe(EXIT.interrupted)
  const lines = out.trim().split('\n')
  expect(lines).toHaveLength(4)
  for (const line of lines) expect(line).toContain(record.id)
  expect(lines[1]).toMatch(/running +up@1 warm$/)
  expect(lines[2]).toMatch(
    /queued +up@1 attempt 1 failed: no such order; again not before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
  )
  expect(lines[3]).toMatch(/succeeded +up@1 200 in 6\.20 ms, warm start, attempt 2$/)
})

test('under --json errors are JSON too, on standard error, and nothing else is there', async () => {
  await using cli = await startOnGateway()
  const absent = await cli.run('get', 'nope', '--json')
  expect(absent).toMatchObject({ code: EXIT.notFound, out: '' })
  expect(JSON.parse(absent.err)).toEqual({
    error: {
      message: 'No such function: no function has the name "nope"',
      code: 'function-not-found',
      exit: EXIT.notFound,
      hint: expect.stringContaining('hearth ls') as string,
    },
  })
  const usage = await cli.run('get', '--json')
  expect(JSON.parse(usage.err)).toEqual({
    error: { message: 'hearth get needs <name>', exit: EXIT.usage, hint: 'usage: hearth get <name>' },
  })
})

test('ls shows all, however many pages there are; get shows the queue', async () => {
  await using cli = await startOnGateway()
  for (const name of ['b', 'up', 'a']) await cli.gateway.deploy(name)
  await submitted(cli)
  const names = (JSON.parse((await cli.run('ls', '--json')).out) as { function: string }[]).map((each) => each.function)
  expect(names).toEqual(['a', 'b', 'up'])
  expect((await cli.run('get', 'up')).out).toMatch(
    /^queue +1 waiting \(the oldest for \d+ s\), 0 delayed, 0 running, 0 dead letters$/m,
  )
})
