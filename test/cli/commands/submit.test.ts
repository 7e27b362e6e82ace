import { join } from 'node:path'

import { expect, test } from 'vitest'

import { EXIT } from '#cli/exit'
import { startOnGateway } from '#test/cli/on-gateway'
import { tempDir } from '#test/temp-dir'

test('each line of a file is a call', async () => {
  await using cli = await startOnGateway()
  await using dir = await tempDir({ 'jobs.ndjson': '{"body":"one","priority":3}\n\n{"body":"two"}\n' })
  await cli.gateway.deploy('up')
  const { code, out } = await cli.run('submit', 'up', join(dir.path, 'jobs.ndjson'))
  expect({ code, out }).toEqual({ code: EXIT.ok, out: '✓ 2 queued\n' })
  const { added } = cli.gateway.lanes
  expect(added.map(({ request }) => Buffer.from(request.body).toString())).toEqual(['one', 'two'])
  expect(added[0]?.priority).toBe(3)
})

test('lines that are wrong are named, and the others are queued', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const lines = '{"body":"one"}\n{"priority":99}\nnonsense\n{"body":"four"}'
  const { code, out, err } = await cli.pipe(lines, 'submit', 'up', '-', '--batch', '2')
  expect({ code, out }).toEqual({ code: EXIT.failed, out: '✓ 2 queued\n' })
  expect(err).toContain('✗ 2 rejected\n  line 2: priority must be an integer in [0, 9]')
  expect(err).toContain('  line 3: a line must be a JSON object')
  const json = JSON.parse((await cli.pipe(lines, 'submit', 'up', '-', '--json')).out) as object
  expect(json).toMatchObject({
    accepted: 2,
    rejected: 2,
    invocations: [{ id: expect.any(String) as string }, {}, {}, {}],
  })
})

test('with a key a file can be sent again', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const lines = '{"body":"one"}\n{"body":"two","idempotencyKey":"own"}\n'
  for (const _ of [1, 2]) {
    expect((await cli.pipe(lines, 'submit', 'up', '-', '-k', 'nightly')).out).toBe('✓ 2 queued\n')
  }
  expect(cli.gateway.lanes.added).toHaveLength(2)
  expect([...cli.gateway.idempotency.keys.keys()]).toEqual(['fn:up nightly-1', 'fn:up own'])
})

test('a file that is not there, or empty, is a usage error', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  expect(await cli.run('submit', 'up', '/nonexistent')).toMatchObject({ code: EXIT.usage })
  expect(await cli.pipe('\n', 'submit', 'up', '-')).toMatchObject({ code: EXIT.usage })
})
