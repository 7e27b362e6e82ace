// The schemas of what becomes of calls: records, dead letters, log lines.
import { RECORD_STATES } from '#core/record'

import { ERROR_CODES, integer, list, MS, object, START_KIND, string, TIME } from './operation.ts'
import type { Schema } from './operation.ts'

const HEADERS = list({ type: 'array', prefixItems: [string('Name'), string('Value')] })
const STATE = { type: 'string', enum: RECORD_STATES }
const TRIGGER = { type: 'string', enum: ['http', 'async', 'event'] }

const FAILURE = object({ type: string('Such as TypeError'), message: string('') }, { stack: string('') })
const ERROR = object({ code: { type: 'string', enum: ERROR_CODES }, message: string('') }, { failure: FAILURE })
const TIMINGS = object({ queueMs: MS, startMs: MS, runMs: MS })
const ATTEMPT = object(
  { number: integer('1 for the first'), startedAt: TIME, state: STATE },
  { finishedAt: TIME, start: START_KIND, timings: TIMINGS, error: ERROR },
)
const INPUT = object({
  headers: HEADERS,
  body: string('As bodyEncoding says'),
  bodyEncoding: { type: 'string', enum: ['utf8', 'base64'] },
})
const RESULT = object(
  {
    status: integer('HTTP status'),
    headers: HEADERS,
    bodyBytes: integer('bytes'),
  },
  { body: string('As bodyEncoding says'), bodyEncoding: { type: 'string', enum: ['utf8', 'base64'] } },
)
const REQUEST = object({ method: string(''), target: string('Path and query'), bodyBytes: integer('bytes') })
const CAUSE = object(
  {},
  {
    trigger: string('Name'),
    events: { ...list({ type: 'string' }), description: 'Ids of the events in it, in order' },
    replayOf: string('It repeats the input of this one', { format: 'uuid' }),
    destinationOf: string('It is the destination of this one', { format: 'uuid' }),
    hops: integer('How many destinations led to it'),
  },
)
const DELIVERY = object(
  {
    on: { type: 'string', enum: ['success', 'failure'] },
    destination: string('As in the spec'),
    state: { type: 'string', enum: ['pending', 'delivered', 'failed'] },
    attempts: integer(''),
    at: TIME,
  },
  { error: string('') },
)
const LINE = {
  at: TIME,
  stream: { type: 'string', enum: ['stdout', 'stderr'] },
  text: string('Without the line end'),
}
export function invocationSchemas(): Record<string, Schema> {
  return {
    Invocation: recordSchema(),
    Accepted: object(
      {
        id: string('', { format: 'uuid' }),
        function: string('Name'),
        version: integer('The version that will run'),
        state: { type: 'string', enum: ['queued'] },
        url: string('Its record'),
      },
      { notBefore: { ...TIME, description: 'Not to be run before, ms since the epoch' } },
    ),
    DeadLetter: object(
      {
        id: string('Of the invocation', { format: 'uuid' }),
        function: string('Name'),
        version: integer('The version that ran'),
        trigger: TRIGGER,
        cause: CAUSE,
        state: STATE,
        error: ERROR,
        attempts: integer('Tries that were made'),
        at: { ...TIME, description: 'Since when it is a dead letter, ms since the epoch' },
        acceptedAt: TIME,
        request: REQUEST,
      },
      { input: INPUT },
    ),
    LogLine: object({ ...LINE, function: string('Name'), invocation: string('', { format: 'uuid' }) }),
  }
}

function recordSchema(): Schema {
  return object(
    {
      id: string('', { format: 'uuid' }),
      function: string('Name'),
      version: integer('The version that ran or will run'),
      trigger: TRIGGER,
      state: STATE,
      request: REQUEST,
      acceptedAt: TIME,
      attempts: list(ATTEMPT),
    },
    {
      finishedAt: TIME,
      cause: CAUSE,
      notBefore: { ...TIME, description: 'Not to be run before, ms since the epoch' },
      redeliveries: integer('Takeovers from processes that died: each may have run it once more'),
      result: RESULT,
      error: ERROR,
      deadLetteredAt: { ...TIME, description: 'Since when it is a dead letter, or was, ms since the epoch' },
      deliveries: list(DELIVERY),
      input: INPUT,
    },
  )
}
