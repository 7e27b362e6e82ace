import { expect, it } from 'vitest'

import { startRedisServer } from '#test/brokers/redis'

import { runPage } from './broker-page.ts'

it('docs/triggers/bullmq.md has commands that work', async () => {
  await using server = await startRedisServer()
  const output = await runPage('docs/triggers/bullmq.md', '127.0.0.1:6379', `redis://127.0.0.1:${server.port}`)
  expect(output).toMatch(/hello-js@1 +mails +succeeded[^]*listening/)
}, 180_000)
