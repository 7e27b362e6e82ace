import { expect, test } from 'vitest'

import { EXIT } from '#cli/exit'
import type { InvocationId } from '#core/ids'
import { startOnGateway, type OnGateway } from '#test/cli/on-gateway'

async function died(cli: OnGateway, body: string): Promise<InvocationId> {
  const { gateway } = cli
  await cli.run('invoke', 'up', '-d', body, '--async')
  const invocation = gateway.lanes.added.pop()!
  const error = { code: 'function-failed', message: `failed at ${body}\nand more` } as const
  await gateway.deadLetters.add({ invocation, state: 'failed', error, attempts: 3, at: 1000 })
  return invocation.id
}

test('they are listed, and one is shown with its input', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  expect(await cli.run('dead-letters', 'up')).toEqual({ code: EXIT.ok, out: '', err: 'no dead letters of up\n' })
  const ids = [await died(cli, 'one'), await died(cli, 'two')]
  const { out } = await cli.run('dead-letters', 'up')
  const rows = out.trimEnd().split('\n')
  expect(rows).toHaveLength(3)
  expect(rows[0]).toMatch(/^ID +VERSION +STATE +TRIES +SINCE +ERROR$/)
  expect(rows[1]).toMatch(new RegExp(`^${ids[1]} +1 +failed +3 .* function-failed: failed at two$`))
  expect((await cli.run('dead-letters', 'up', ids[0]!)).out).toMatch(/^body +one$/m)
  expect(JSON.parse((await cli.run('dead-letters', 'up', '--json')).out)).toMatchObject([
    { id: ids[1] },
    { id: ids[0] },
  ])
  expect((await cli.run('dead-letters', 'nope')).code).toBe(EXIT.notFound)
})

test('one, and then all, are queued again', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const ids = [await died(cli, 'one'), await died(cli, 'two'), await died(cli, 'three')]
  const one = await cli.run('dead-letters', 'redrive', 'up', ids[0]!)
  expect(cli.gateway.lanes.added).toMatchObject([{ id: one.out.trim(), cause: { replayOf: ids[0] } }])
  const all = await cli.run('dead-letters', 'redrive', 'up', '--version', '1')
  expect(all).toEqual({ code: EXIT.ok, out: '✓ 2 queued again\n', err: '' })
  expect(cli.gateway.deadLetters.letters.size).toBe(0)
})

test('one, and then all, are removed', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const [first] = [await died(cli, 'one'), await died(cli, 'two')]
  expect(await cli.run('dead-letters', 'purge', 'up', first)).toMatchObject({ code: EXIT.ok, out: '✓ removed 1\n' })
  expect(JSON.parse((await cli.run('dead-letters', 'purge', 'up', '--json')).out)).toEqual({ purged: 1 })
})

test('a function may have the name of an action', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('purge')
  expect(await cli.run('dead-letters', 'purge')).toMatchObject({ code: EXIT.ok, err: 'no dead letters of purge\n' })
  expect(await cli.run('dead-letters', 'burn', 'up', 'x')).toMatchObject({ code: EXIT.usage })
})
