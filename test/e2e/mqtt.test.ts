import { expect, it } from 'vitest'

import { startMosquitto } from '#test/brokers/mqtt'

import { runPage } from './broker-page.ts'

it('docs/triggers/mqtt.md has commands that work', async () => {
  await using server = await startMosquitto()
  const output = await runPage('docs/triggers/mqtt.md', '127.0.0.1:1883', server.url)
  expect(output).toMatch(/hello-js@1 +sensors +succeeded[^]*listening/)
}, 180_000)
