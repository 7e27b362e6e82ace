// hearth invocations: the newest records, those that come, or one: to look at, to cancel, to make again.
import { RECORD_STATES, type InvocationRecord, type RecordPage, type StoredLogLine } from '#core/record'

import { connect, type Client } from '../client.ts'
import { integerValue, textValue, type Command, type Values } from '../command.ts'
import { EXIT, usageError, type ExitCode } from '../exit.ts'
import { fields, localTime, milliseconds, printJson, stateText, table } from '../output.ts'
import { changeLine, describeRecord } from '../record-text.ts'
import { recordOf } from '../records.ts'
import type { Terminal } from '../terminal.ts'
import { showText } from './logs.ts'

const ID = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'
const FILTERS = ['function', 'state', 'trigger', 'since'] as const

export const invocations: Command = {
  name: 'invocations',
  summary: 'List the newest invocations or follow them; show one, cancel it, or make it again.',
  usage: '[id | cancel <id> | replay <id>]',
  minPositionals: 0,
  maxPositionals: 2,
  options: {
    follow: { type: 'boolean', short: 'f', description: 'Stay and show every change as it comes, until Ctrl-C.' },
    function: { type: 'string', value: 'NAME', description: 'Only of this function.' },
    state: {
      type: 'string',
      short: 's',
      value: 'STATES',
      description: `Only in these states, with commas: ${RECORD_STATES.join(', ')}.`,
    },
    trigger: { type: 'string', value: 'NAME', description: 'Only of this trigger.' },
    since: { type: 'string', value: 'WHEN', description: 'Only accepted since: 2026-11-20T09:30:00Z.' },
    limit: { type: 'string', short: 'n', value: 'N', description: 'How many. Default: 20.' },
    input: { type: 'boolean', description: 'Of one: also what it was called with.' },
    version: { type: 'string', value: 'N', description: 'Of a replay: on this version. Default: the one that ran.' },
  },
  examples: [
    ['hearth invocations', 'the newest 20'],
    ['hearth invocations -f', 'and a line for every change from now on'],
    ['hearth invocations --function thumbnail -s failed,timed-out', 'what went wrong'],
    [`hearth invocations ${ID}`, 'one, with its logs'],
    [`hearth invocations cancel ${ID}`, 'queued or running'],
    [`hearth invocations replay ${ID}`, 'the same input again'],
  ],
  async run({ positionals, values }, terminal) {
    const context = { client: await connect(terminal), values, terminal }
    const [first, second] = positionals
    if (second !== undefined) return act(first as string, second, context)
    if (first === 'cancel' || first === 'replay') throw usageError(`hearth invocations ${first} needs <id>`)
    if (first !== undefined) return showOne(first, context)
    return values.follow === true ? follow(context) : listAll(context)
  },
}

interface Context {
  readonly client: Client
  readonly values: Values
  readonly terminal: Terminal
}

function act(action: string, id: string, context: Context): Promise<ExitCode> {
  if (action === 'cancel') return cancel(id, context)
  if (action === 'replay') return replay(id, context)
  throw usageError(
    `hearth invocations cannot ${JSON.stringify(action)}`,
    'what it can do with one is cancel and replay',
  )
}

function filterOf(values: Values): URLSearchParams {
  const query = new URLSearchParams({ limit: String(integerValue(values, 'limit', 20)) })
  for (const name of FILTERS) {
    const value = textValue(values, name)
    if (value !== undefined) query.set(name, value)
  }
  return query
}

async function listAll({ client, values, terminal }: Context): Promise<ExitCode> {
  const page = (await (await client.call(`/v1/invocations?${filterOf(values).toString()}`)).json()) as RecordPage
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

function row({ id, function: name, version, trigger, cause, state, attempts, acceptedAt }: InvocationRecord): string[] {
  const last = attempts.at(-1)
  return [
    id,
    `${name}@${version}`,
    cause?.trigger ?? trigger,
    state,
    last?.start ?? '-',
    milliseconds(last?.timings?.runMs),
    localTime(acceptedAt),
  ]
}

async function follow({ client, values, terminal }: Context): Promise<ExitCode> {
  const query = filterOf(values)
  query.set('follow', 'true')
  for await (const value of client.follow(`/v1/invocations?${query.toString()}`)) {
    const record = value as InvocationRecord
    terminal.out(values.json === true ? `${JSON.stringify(record)}\n` : changeLine(record, terminal.outColors))
  }
  return EXIT.ok
}

async function showOne(id: string, { client, terminal, values }: Context): Promise<ExitCode> {
  const record = await recordOf(client, id, values.input === true)
  const response = await client.call(`/v1/invocations/${encodeURIComponent(id)}/logs`)
  const { lines } = (await response.json()) as { lines: StoredLogLine[] }
  if (values.json === true) {
    printJson(terminal, { ...record, logs: lines })
    return EXIT.ok
  }
  terminal.out(fields(describeRecord(record), terminal.outColors))
  for (const line of lines) showText(line, terminal)
  return EXIT.ok
}

async function cancel(id: string, { client, terminal, values }: Context): Promise<ExitCode> {
  const response = await client.call(`/v1/invocations/${encodeURIComponent(id)}/cancel`, { method: 'POST' })
  const answer = (await response.json()) as { id: string; state: 'cancelled' | 'cancelling' }
  if (values.json === true) printJson(terminal, answer)
  else if (answer.state === 'cancelled') terminal.out(`${stateText('cancelled', terminal.outColors).trimEnd()} ${id}\n`)
  else terminal.out(`${terminal.outColors.yellow('cancelling')} ${id}: it runs, and has been told to end\n`)
  return EXIT.ok
}

async function replay(id: string, { client, terminal, values }: Context): Promise<ExitCode> {
  const version = textValue(values, 'version')
  const init = version === undefined ? {} : { body: JSON.stringify({ version: integerValue(values, 'version', 1) }) }
  const response = await client.call(`/v1/invocations/${encodeURIComponent(id)}/replay`, { method: 'POST', ...init })
  const accepted = (await response.json()) as { readonly id: string }
  if (values.json === true) printJson(terminal, accepted)
  else terminal.out(`${accepted.id}\n`)
  return EXIT.ok
}
