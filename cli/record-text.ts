// How the record of an invocation reads on a terminal: all of it, or in a line.
import type { InvocationRecord, RecordError } from '#core/record'

import { localTime, milliseconds, stateText } from './output.ts'
import type { Colors } from './terminal.ts'

/** Names and values of all there is to say. */
export function describeRecord(record: InvocationRecord): [string, string][] {
  const { request, attempts, acceptedAt, notBefore, redeliveries, deadLetteredAt } = record
  return [
    ['id', record.id],
    ['function', `${record.function}@${record.version}`],
    ['state', record.state],
    ['request', `${request.method} ${request.target}, ${request.bodyBytes} bytes, ${record.trigger}`],
    ...causeOf(record),
    ['accepted', localTime(acceptedAt)],
    ...line('not before', notBefore, localTime),
    ...attempts.map(({ number, state, start, timings }): [string, string] => [
      `attempt ${number}`,
      `${state}, ${start ?? 'no'} start, queue ${milliseconds(timings?.queueMs)}, start ${milliseconds(timings?.startMs)}, run ${milliseconds(timings?.runMs)}`,
    ]),
    ...line('redelivered', redeliveries, (count) => `${count} times, after processes that ended`),
    ...outcomeOf(record),
    ...line('dead letter', deadLetteredAt, (at) => `since ${localTime(at)}`),
    ...inputOf(record),
  ]
}

/** One line for a change: when, what, who, and what there is to say about it. */
export function changeLine(record: InvocationRecord, colors: Colors): string {
  const { id, state, function: name, version, attempts, acceptedAt, finishedAt } = record
  const at = finishedAt ?? attempts.at(-1)?.finishedAt ?? attempts.at(-1)?.startedAt ?? acceptedAt
  const what = `${stateText(state, colors)} ${colors.bold(`${name}@${version}`)}`
  return `${colors.dim(`${localTime(at)} ${id}`)} ${what} ${detailOf(record)}`.trimEnd() + '\n'
}

function detailOf({ state, attempts, result, error, notBefore }: InvocationRecord): string {
  const last = attempts.at(-1)
  const tries = attempts.length > 1 ? `, attempt ${attempts.length}` : ''
  switch (state) {
    case 'queued': {
      const until = notBefore === undefined ? '' : `not before ${localTime(notBefore)}`
      if (last === undefined) return until
      return `attempt ${last.number} ${last.state}: ${last.error?.message ?? ''}; again ${until}`
    }
    case 'running':
      return `${last?.start ?? ''}${tries}`
    case 'succeeded':
      return `${result?.status ?? ''} in ${milliseconds(last?.timings?.runMs)}, ${last?.start ?? 'no'} start${tries}`
    case 'failed':
    case 'timed-out':
    case 'out-of-memory':
    case 'cancelled':
    case 'expired':
      return `${error === undefined ? '' : `${error.code}: ${error.message}`}${tries}`
    default:
      return state satisfies never
  }
}

function causeOf({ cause = {} }: InvocationRecord): [string, string][] {
  const { trigger, events, replayOf, destinationOf } = cause
  return [
    ...line('trigger', trigger, String),
    ...line('events', events, (ids) => ids.join(', ')),
    ...line('replay of', replayOf, String),
    ...line('tells about', destinationOf, String),
  ]
}

function outcomeOf({ result, error, deliveries = [] }: InvocationRecord): [string, string][] {
  return [
    ...line('result', result, ({ status, bodyBytes }) => `${status}, ${bodyBytes} bytes`),
    ...line('body', result?.body, String),
    ...line('error', error, errorText),
    ...deliveries.map(({ on, destination, state, attempts, error: why }): [string, string] => [
      `on ${on}`,
      `${destination}: ${state}, ${attempts} tries${why === undefined ? '' : `, ${why}`}`,
    ]),
  ]
}

function inputOf({ input }: InvocationRecord): [string, string][] {
  if (input === undefined) return []
  const headers = input.headers.map(([name, value]): [string, string] => ['header', `${name}: ${value}`])
  const note = input.bodyEncoding === 'base64' ? ' (base64)' : ''
  return [...headers, [`input${note}`, input.body]]
}

function line<T>(name: string, value: T | undefined, show: (value: T) => string): [string, string][] {
  return value === undefined ? [] : [[name, show(value)]]
}

/** Some engines put the message on top of the stack, others do not. */
function errorText({ code, message, failure }: RecordError): string {
  if (failure === undefined) return `${code}: ${message}`
  const { type, message: thrown, stack = '' } = failure
  const head = `${type}: ${thrown}`
  return `${code}: ${stack.startsWith(head) ? stack : `${head}\n${stack}`}`.trimEnd()
}
