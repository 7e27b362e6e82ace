import { expect, it } from 'vitest'

import { startPostgres } from '#test/brokers/postgres'

import { runPage } from './broker-page.ts'

it('docs/triggers/postgres.md has commands that work', async () => {
  await using server = await startPostgres()
  const output = await runPage('docs/triggers/postgres.md', '127.0.0.1:5432', server.url)
  expect(output).toMatch(/hello-js@1 +orders +succeeded[^]*listening/)
}, 180_000)
