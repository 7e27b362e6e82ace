// hearth invocations [id]: the newest records, or one with its attempts and logs.
import {
  RECORD_STATES,
  type InvocationRecord,
  type RecordError,
  type RecordPage,
  type StoredLogLine,
} from '#core/record'

import { connect, type Client } from '../client.ts'
import { integerValue, textValue, type Command, type Values } from '../command.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { fields, localTime, milliseconds, printJson, table } from '../output.ts'
import { recordOf } from '../records.ts'
import type { Terminal } from '../terminal.ts'
import { showText } from './logs.ts'

export const invocations: Command = {
  name: 'invocations',
  summary: 'List the newest invocations, or show one: state, attempts, times, result, logs.',
  usage: '[id]',
  minPositionals: 0,
  maxPositionals: 1,
  options: {
    function: { type: 'string', short: 'f', value: 'NAME', description: 'Only of this function.' },
    state: {
      type: 'string',
      short: 's',
      value: 'STATE',
      description: `Only in this state: ${RECORD_STATES.join(', ')}.`,
    },
    limit: { type: 'string', short: 'n', value: 'N', description: 'How many. Default: 20.' },
  },
  examples: [
    ['hearth invocations', 'the newest 20'],
    ['hearth invocations -f thumbnail -s failed', 'what went wrong'],
    ['hearth invocations 019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44', 'one, with its logs'],
  ],
  async run({ positionals: [id], values }, terminal) {
    const client = await connect(terminal)
    return id === undefined ? listAll(client, values, terminal) : showOne(client, id, { terminal, values })
  },
}

async function listAll(client: Client, values: Values, terminal: Terminal): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: String(integerValue(values, 'limit', 20)) })
  for (const name of ['function', 'state']) {
    const value = textValue(values, name)
    if (value !== undefined) query.set(name, value)
  }
  const page = (await (await client.call(`/v1/invocations?${query.toString()}`)).json()) as RecordPage
  if (values.json === true) printJson(terminal, page.records)
  else if (page.records.length === 0) terminal.err('no invocations\n')
  else
    terminal.out(
      table(
        [['ID', 'FUNCTION', 'BY', 'STATE', 'START', 'RUN', 'ACCEPTED'], ...page.records.map(row)],
        terminal.outColors,
      ),
    )
  return EXIT.ok
}

function row({ id, function: name, version, trigger, state, attempts, acceptedAt }: InvocationRecord): string[] {
  const last = attempts.at(-1)
  return [
    id,
    `${name}@${version}`,
    trigger,
    state,
    last?.start ?? '-',
    milliseconds(last?.timings?.runMs),
    localTime(acceptedAt),
  ]
}

async function showOne(
  client: Client,
  id: string,
  { terminal, values }: { readonly terminal: Terminal; readonly values: Values },
): Promise<ExitCode> {
  const record = await recordOf(client, id)
  const response = await client.call(`/v1/invocations/${encodeURIComponent(id)}/logs`)
  const { lines } = (await response.json()) as { lines: StoredLogLine[] }
  if (values.json === true) {
    printJson(terminal, { ...record, logs: lines })
    return EXIT.ok
  }
  terminal.out(fields(fieldsOf(record), terminal.outColors))
  for (const line of lines) showText(line, terminal)
  return EXIT.ok
}

function fieldsOf(record: InvocationRecord): [string, string][] {
  const { request, result, error, attempts } = record
  return [
    ['id', record.id],
    ['function', `${record.function}@${record.version}`],
    ['state', record.state],
    ['request', `${request.method} ${request.target}, ${request.bodyBytes} bytes, ${record.trigger}`],
    ['accepted', localTime(record.acceptedAt)],
    ...attempts.map(({ number, state, start, timings }): [string, string] => [
      `attempt ${number}`,
      `${state}, ${start ?? 'no'} start, queue ${milliseconds(timings?.queueMs)}, start ${milliseconds(timings?.startMs)}, run ${milliseconds(timings?.runMs)}`,
    ]),
    ...(result === undefined
      ? []
      : [['result', `${result.status}, ${result.bodyBytes} bytes`] satisfies [string, string]]),
    ...(result?.body === undefined ? [] : [['body', result.body] satisfies [string, string]]),
    ...(error === undefined ? [] : [['error', errorText(error)] satisfies [string, string]]),
  ]
}

/** Some engines put the message on top of the stack, others do not. */
function errorText({ code, message, failure }: RecordError): string {
  if (failure === undefined) return `${code}: ${message}`
  const { type, message: thrown, stack = '' } = failure
  const head = `${type}: ${thrown}`
  return `${code}: ${stack.startsWith(head) ? stack : `${head}\n${stack}`}`.trimEnd()
}
