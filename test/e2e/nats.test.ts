import { expect, it } from 'vitest'

import { startNats } from '#test/brokers/nats'

import { runPage } from './broker-page.ts'

it('docs/triggers/nats.md has commands that work', async () => {
  await using server = await startNats()
  const output = await runPage('docs/triggers/nats.md', '127.0.0.1:4222', server.url)
  expect(output).toMatch(/hello-js@1 +orders +succeeded[^]*listening/)
}, 180_000)
