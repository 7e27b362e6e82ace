import { expect, it } from 'vitest'

import { startRabbit } from '#test/brokers/amqp'

import { runPage } from './broker-page.ts'

it('docs/triggers/amqp.md has commands that work', async () => {
  await using server = await startRabbit()
  const output = await runPage('docs/triggers/amqp.md', '127.0.0.1:5672', server.url)
  expect(output).toMatch(/hello-js@1 +orders +succeeded[^]*listening/)
}, 180_000)
