import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { specOf } from '#cli/triggers/spec'
import { recordedTerminal } from '#test/cli/terminal'
import { tempDir } from '#test/temp-dir'

describe('specOf', () => {
  it('takes fields of the trigger, the source and the retries from options', async () => {
    const values = {
      kind: 'schedule',
      function: 'f',
      'batch-size': '10',
      set: ['cron=0 3 * * *', 'data=a=b'],
      retry: ['maxAttempts=5'],
      filter: '{"type":"a"}',
      disabled: true,
    }
    expect(await specOf(values, recordedTerminal())).toEqual({
      kind: 'schedule',
      function: 'f',
      batchSize: '10',
      source: { cron: '0 3 * * *', data: 'a=b' },
      retry: { maxAttempts: '5' },
      filter: { type: 'a' },
      enabled: false,
    })
  })

  it('puts options over a file, or over standard input', async () => {
    const spec = '{"kind":"nats","function":"f","source":{"stream":"s","url":"nats://h"},"concurrency":5}'
    await using dir = await tempDir({ 'spec.json': spec })
    const expected = { kind: 'nats', function: 'g', source: { stream: 't', url: 'nats://h' }, concurrency: 5 }
    const values = { function: 'g', set: ['stream=t'] }
    const terminal = recordedTerminal({ input: spec })
    expect(await specOf({ ...values, file: join(dir.path, 'spec.json') }, terminal)).toEqual(expected)
    expect(await specOf({ ...values, file: '-' }, terminal)).toEqual(expected)
  })

  it.each([
    [{ set: ['cron'] }, '--set must be NAME=VALUE'],
    [{ filter: '[' }, '--filter must be a JSON object'],
    [{ file: '/nonexistent.json' }, 'cannot read /nonexistent.json'],
  ])('refuses %j', async (values, message) => {
    await expect(specOf(values, recordedTerminal())).rejects.toThrow(message)
  })
})
