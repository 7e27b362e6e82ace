// hearth triggers: what binds event sources to functions.
import type { Trigger, TriggerStatus } from '#core/trigger'

import { connect, type Client } from '../client.ts'
import type { Arguments, Command } from '../command.ts'
import { EXIT, usageError, type ExitCode } from '../exit.ts'
import { fields, localTime, milliseconds, printJson, table } from '../output.ts'
import type { Colors, Terminal } from '../terminal.ts'
import { SPEC_OPTIONS, specOf } from '../triggers/spec.ts'

/** As the API answers. */
interface ShownTrigger extends Trigger {
  readonly status: TriggerStatus
}

interface Call {
  readonly client: Client
  readonly name: string
  readonly values: Arguments['values']
  readonly terminal: Terminal
}

const VERBS: Readonly<Record<string, (call: Call) => Promise<ExitCode>>> = {
  get: async (call) => show(call, await callOne(call, 'GET')),
  put,
  enable: async (call) => show(call, await callOne(call, 'POST', '/enable')),
  disable: async (call) => show(call, await callOne(call, 'POST', '/disable')),
  rm: remove,
}

export const triggers: Command = {
  name: 'triggers',
  summary: 'List triggers; show, make, switch or remove one.',
  usage: '[get|put|enable|disable|rm <name>]',
  minPositionals: 0,
  maxPositionals: 2,
  options: SPEC_OPTIONS,
  examples: [
    ['hearth triggers', 'a table'],
    [
      "hearth triggers put nightly --kind schedule --function report --set cron='0 3 * * *' --set timeZone=Europe/Berlin",
      'a function by the clock',
    ],
    [
      'hearth triggers put repo --kind http --function deploy --set verify=github --set secrets=$SECRET',
      'a webhook, at /hooks/repo',
    ],
    ['hearth triggers put orders --file orders.json --concurrency 1', 'from a file, with one field changed'],
    ['hearth triggers disable orders', 'it keeps its place at the source'],
  ],
  async run({ positionals: [verb, name], values }, terminal) {
    if (verb === undefined) return listAll(await connect(terminal), values, terminal)
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    const usage = `usage: hearth triggers ${triggers.usage}`
    if (act === undefined) throw usageError(`hearth triggers has no ${JSON.stringify(verb)}`, usage)
    if (name === undefined) throw usageError(`hearth triggers ${verb} needs a name`, usage)
    return act({ client: await connect(terminal), name, values, terminal })
  },
}

async function listAll(client: Client, values: Arguments['values'], terminal: Terminal): Promise<ExitCode> {
  const response = await client.call('/v1/triggers')
  const { triggers: all } = (await response.json()) as { triggers: ShownTrigger[] }
  if (values.json === true) printJson(terminal, all)
  else if (all.length === 0) terminal.err('no triggers yet: "hearth triggers put <name>" makes one\n')
  else {
    const head = ['NAME', 'KIND', 'FUNCTION', 'STATE', 'RECEIVED', 'INVOCATIONS', 'FAILED', 'LAG']
    terminal.out(table([head, ...all.map(row)], terminal.outColors))
  }
  return EXIT.ok
}

function row({ name, spec, status }: ShownTrigger): string[] {
  const { state, received, invocations, failed, lag } = status
  const counts = [received, invocations, failed, lag].map((count) => (count === undefined ? '-' : String(count)))
  return [name, spec.kind, spec.function, state, ...counts]
}

async function callOne({ client, name }: Call, method: string, below = '', body?: string): Promise<ShownTrigger> {
  const path = `/v1/triggers/${encodeURIComponent(name)}${below}`
  const response = await client.call(path, { method, ...(body === undefined ? {} : { body }) })
  return (await response.json()) as ShownTrigger
}

async function put(call: Call): Promise<ExitCode> {
  const { values, terminal } = call
  const trigger = await callOne(call, 'PUT', '', JSON.stringify(await specOf(values, terminal)))
  if (values.json === true) {
    printJson(terminal, trigger)
    return EXIT.ok
  }
  const { outColors: colors } = terminal
  const { name, spec } = trigger
  terminal.out(`${colors.green('✓')} ${colors.bold(name)} calls ${spec.function} (${spec.kind})\n`)
  if (spec.kind === 'http') terminal.out(`  ${call.client.url}/hooks/${name}\n`)
  return EXIT.ok
}

async function remove({ client, name, values, terminal }: Call): Promise<ExitCode> {
  await client.call(`/v1/triggers/${encodeURIComponent(name)}`, { method: 'DELETE' })
  if (values.json === true) printJson(terminal, { name, removed: true })
  else terminal.out(`${terminal.outColors.green('✓')} removed ${name}\n`)
  return EXIT.ok
}

async function show({ values, terminal }: Call, trigger: ShownTrigger): Promise<ExitCode> {
  if (values.json === true) printJson(terminal, trigger)
  else terminal.out(describe(trigger, terminal.outColors))
  return EXIT.ok
}

function describe({ name, spec, status }: ShownTrigger, colors: Colors): string {
  const { kind, function: target, source, filter, retry, ...rest } = spec
  const { state, reason, underWay, received, matched, invocations, redelivered, failed, lag, lagMs, nextAt } = status
  const lines: (readonly [string, string])[] = [
    ['name', colors.bold(name)],
    ['kind', `${kind}, calls ${target}`],
    ['state', reason === undefined ? state : `${state}: ${reason}`],
    ['events', `${received} received, ${matched} matched, ${redelivered} came again`],
    ['invocations', `${invocations} in all, ${underWay} under way, ${failed} failed`],
  ]
  if (lag !== undefined) lines.push(['lag', lagMs === undefined ? `${lag}` : `${lag}, oldest ${milliseconds(lagMs)}`])
  if (nextAt !== undefined) lines.push(['next', localTime(nextAt)])
  if (status.lastEventAt !== undefined) lines.push(['last event', localTime(status.lastEventAt)])
  if (pairs(source) !== '') lines.push(['source', pairs(source)])
  if (filter !== undefined) lines.push(['filter', JSON.stringify(filter)])
  lines.push(['spec', pairs(rest)], ['retry', pairs({ ...retry })])
  return fields(lines, colors)
}

/** Without what is empty. */
function pairs(of: Readonly<Record<string, unknown>>): string {
  return Object.entries(of)
    .filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
