import { expect, test } from 'vitest'

import { EXIT } from '#cli/exit'
import { startOnGateway } from '#test/cli/on-gateway'

test('a trigger is made and shown; a spec that is wrong is the fault of the command line', async () => {
  await using cli = await startOnGateway()
  await cli.gateway.deploy('up')
  const made = await cli.run('triggers', 'put', 'bus', '--kind', 'events', '--function', 'up')
  expect(made).toMatchObject({ code: EXIT.ok, out: '✓ bus calls up (events)\n' })
  const shown = await cli.run('triggers', 'get', 'bus')
  expect(shown.out).toMatch(/^events +0 received, 0 matched, 0 came again$/m)
  // It has none.
  expect(shown.out).not.toContain('source')
  const wrong = await cli.run('triggers', 'put', 'bus', '--kind', 'events', '--function', 'up', '--batch-size', '0')
  expect(wrong).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('batchSize must be') })
  const absent = await cli.run('triggers', 'put', 'bus', '--kind', 'events', '--function', 'nope')
  expect(absent.code).toBe(EXIT.notFound)
})
