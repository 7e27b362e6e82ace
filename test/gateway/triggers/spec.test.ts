import { describe, expect, it } from 'vitest'

import type { PlatformError } from '#core/errors'
import type { TriggerSpec } from '#core/trigger'
import type { SourceCatalogue } from '#gateway/sources/catalogue'
import { eventsSource } from '#gateway/sources/events/source'
import { httpSource } from '#gateway/sources/http/source'
import { scheduleSource } from '#gateway/sources/schedule/source'
import type { PullSource } from '#gateway/sources/source'
import { hideSecrets, parseTriggerSpec } from '#gateway/triggers/spec'

const FIELDS = {
  url: { type: 'url', protocols: ['amqp', 'amqps'], default: 'amqp://localhost', description: '' },
  token: { type: 'text', pattern: /^\w+$/, expected: 'a token', default: '', secret: true, description: '' },
  keys: { type: 'list', pattern: /^\w+$/, expected: 'keys', default: [], secret: true, description: '' },
  durable: { type: 'flag', default: true, description: '' },
} as const
const amqp: PullSource<typeof FIELDS> = {
  kind: 'amqp',
  delivery: 'pull',
  fields: FIELDS,
  open: () => Promise.reject(new Error('not of use here')),
}
const SOURCES: SourceCatalogue = { schedule: scheduleSource, http: httpSource, events: eventsSource, amqp }

function parse(input: unknown, previous?: TriggerSpec): TriggerSpec {
  return parseTriggerSpec(input, SOURCES, previous)
}

describe('parseTriggerSpec', () => {
  it('fills in what is left out', () => {
    expect(parse({ kind: 'schedule', function: 'report', source: { cron: '0 3 * * *' } })).toEqual({
      kind: 'schedule',
      function: 'report',
      enabled: true,
      path: '/',
      filter: undefined,
      batchSize: 1,
      batchWindowMs: 0,
      concurrency: 1,
      mode: 'binary',
      maxAgeMs: 0,
      retry: { maxAttempts: 3, backoff: 'exponential', delayMs: 1000, maxDelayMs: 300_000 },
      source: { cron: '0 3 * * *', timeZone: 'UTC', every: '', at: '', missed: 'once', data: '' },
    })
    expect(parse({ kind: 'events', function: 'f' }).concurrency).toBe(0)
    expect(parse({ kind: 'amqp', function: 'f' }).concurrency).toBe(10)
  })

  it('reads back what it made', () => {
    const spec = parse({ kind: 'events', function: 'f', filter: { type: ['a', { prefix: 'b' }] }, batchSize: 10 })
    expect(parse(structuredClone(spec))).toEqual(spec)
  })

  it.each<[field: string, input: unknown]>([
    ['the trigger', 'x'],
    ['the trigger', null],
    ['kind', { function: 'f' }],
    ['kind', { kind: 'kafka', function: 'f' }],
    ['kind', { kind: 'mqtt', function: 'f' }],
    ['function', { kind: 'events' }],
    ['function', { kind: 'events', function: 'Not a name' }],
    ['batchsize', { kind: 'events', function: 'f', batchsize: 3 }],
    ['batchSize', { kind: 'events', function: 'f', batchSize: 0 }],
    ['batchWindowMs', { kind: 'events', function: 'f', batchWindowMs: 60_000 }],
    ['concurrency', { kind: 'http', function: 'f', concurrency: 5 }],
    ['concurrency', { kind: 'amqp', function: 'f', concurrency: 0 }],
    ['path', { kind: 'events', function: 'f', path: '/a b' }],
    ['path', { kind: 'events', function: 'f', path: '/'.padEnd(8193, 'x') }],
    ['enabled', { kind: 'events', function: 'f', enabled: 'maybe' }],
    ['filter.Type', { kind: 'events', function: 'f', filter: { Type: 'x' } }],
    ['retry', { kind: 'events', function: 'f', retry: 3 }],
    ['retry.delayMs', { kind: 'events', function: 'f', retry: { delayMs: 5000, maxDelayMs: 1000 } }],
    ['retry.attempts', { kind: 'events', function: 'f', retry: { attempts: 3 } }],
    ['source', { kind: 'events', function: 'f', source: [] }],
    ['source.topic', { kind: 'events', function: 'f', source: { topic: 'x' } }],
    ['source.url', { kind: 'amqp', function: 'f', source: { url: 'http://u:p@h' } }],
    ['source.durable', { kind: 'amqp', function: 'f', source: { durable: 1 } }],
    ['source.secrets', { kind: 'http', function: 'f', source: { verify: 'github' } }],
    ['source.verify', { kind: 'http', function: 'f', source: { secrets: ['long enough'] } }],
  ])('names the field %s of %j', (field, input) => {
    const error = thrownBy(() => parse(input))
    expect(error).toMatchObject({ code: 'invalid-trigger', members: { field } })
  })

  it('suggests what was meant', () => {
    expect(thrownBy(() => parse({ kind: 'events', function: 'f', batchsize: 3 })).message).toContain(
      'did you mean batchSize?',
    )
    expect(thrownBy(() => parse({ kind: 'events', function: 'f', filer: {} })).message).toContain(
      'did you mean filter?',
    )
  })
})

describe('secrets', () => {
  const GIVEN = { url: 'amqp://ada:l%40vely@host/v', token: 'abc', keys: ['first', 'second'] }
  const spec = parse({ kind: 'amqp', function: 'f', source: GIVEN })

  it('are hidden in what is shown', () => {
    const shown = hideSecrets(spec, SOURCES)
    expect(shown.source).toEqual({ url: 'amqp://ada:***@host/v', token: '***', keys: ['***', '***'], durable: true })
    expect(JSON.stringify(shown)).not.toMatch(/vely|abc|first|second/)
  })

  it('stay when what was shown is sent back', () => {
    expect(parse(hideSecrets(spec, SOURCES), spec)).toEqual(spec)
  })

  it('are changed one by one', () => {
    const source = { url: 'amqp://ada:new@other', token: '***', keys: ['third', '***'] }
    expect(parse({ kind: 'amqp', function: 'f', source }, spec).source).toEqual({
      url: 'amqp://ada:new@other',
      token: 'abc',
      keys: ['third', 'second'],
      durable: true,
    })
  })

  it('do not go to another server', () => {
    const source = { ...GIVEN, url: 'amqp://ada:***@host/other' }
    expect(parse({ kind: 'amqp', function: 'f', source }, spec).source.url).toBe('amqp://ada:l%40vely@host/other')
    for (const url of ['amqp://ada:***@other/v', 'amqp://ada:***@host:1/v', 'amqp://ada:***@host/v?host=other']) {
      const moved = { kind: 'amqp', function: 'f', source: { ...GIVEN, url } }
      expect(thrownBy(() => parse(moved, spec))).toMatchObject({ code: 'invalid-trigger' })
    }
  })

  it('are not taken in the query of a URL, where they would be shown', () => {
    const source = { url: 'amqp://host/v?password=lovely' }
    const error = thrownBy(() => parse({ kind: 'amqp', function: 'f', source }))
    expect(error).toMatchObject({ code: 'invalid-trigger', members: { field: 'source.url' } })
    expect(error.message).not.toContain('lovely')
  })

  it.each([{ token: '***' }, { keys: ['***'] }, { url: 'amqp://ada:***@host' }])(
    'cannot be kept where there are none: %j',
    (source) => {
      expect(thrownBy(() => parse({ kind: 'amqp', function: 'f', source }))).toMatchObject({ code: 'invalid-trigger' })
    },
  )

  it('are not in errors', () => {
    const error = thrownBy(() => parse({ kind: 'amqp', function: 'f', source: { token: 'not a token!' } }))
    expect(error.message).not.toContain('not a token!')
    const url = thrownBy(() => parse({ kind: 'amqp', function: 'f', source: { url: 'http://ada:lovely@host' } }))
    expect(url.message).not.toContain('lovely')
  })
})

function thrownBy(action: () => unknown): PlatformError {
  try {
    action()
  } catch (error) {
    return error as PlatformError
  }
  throw new Error('expected it to throw')
}
