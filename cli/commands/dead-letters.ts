// hearth dead-letters <name>: what failed for good, and what is to become of it.
import { connect, type Client } from '../client.ts'
import { integerValue, textValue, type Command, type Values } from '../command.ts'
import { EXIT, usageError, type ExitCode } from '../exit.ts'
import { fields, localTime, printJson, table } from '../output.ts'
import type { Terminal } from '../terminal.ts'

/** As the API shows it. */
interface Letter {
  readonly id: string
  readonly function: string
  readonly version: number
  readonly state: string
  readonly error: { readonly code: string; readonly message: string }
  readonly attempts: number
  readonly at: number
  readonly acceptedAt: number
  readonly request: { readonly method: string; readonly target: string; readonly bodyBytes: number }
  readonly input?: { readonly body: string; readonly bodyEncoding: string }
}

const ACTIONS = ['redrive', 'purge'] as const
type Action = (typeof ACTIONS)[number]
const ID = '019a9f3e-7c1d-7b6a-8f00-3a5d2c9e1b44'

export const deadLetters: Command = {
  name: 'dead-letters',
  summary: 'What failed for good or expired: list it, show one, queue it again (redrive), remove it (purge).',
  usage: '[redrive | purge] <name> [id]',
  minPositionals: 1,
  maxPositionals: 3,
  options: {
    limit: { type: 'string', short: 'n', value: 'N', description: 'How many to list. Default: 20.' },
    version: { type: 'string', value: 'N', description: 'Redrive on this version. Default: the live one.' },
  },
  examples: [
    ['hearth dead-letters thumbnail', 'the newest 20'],
    [`hearth dead-letters thumbnail ${ID}`, 'one, with what it was called with'],
    ['hearth dead-letters redrive thumbnail', 'all of them again, after a repair'],
    [`hearth dead-letters purge thumbnail ${ID}`, 'one that is of no use'],
  ],
  async run({ positionals, values }, terminal) {
    const [first = '', ...rest] = positionals
    // A function may have the name of an action; then it stands alone.
    const action = rest.length > 0 ? ACTIONS.find((known) => known === first) : undefined
    const [name = '', id, more] = action === undefined ? [first, ...rest] : rest
    if (more !== undefined)
      throw usageError(`hearth dead-letters cannot ${JSON.stringify(first)}`, `it can ${ACTIONS.join(', ')}`)
    const context: Context = { client: await connect(terminal), terminal, values, path: pathOf(name, id) }
    if (action !== undefined) return act(action, id, context)
    return id === undefined ? list(name, context) : show(context)
  },
}

interface Context {
  readonly client: Client
  readonly terminal: Terminal
  readonly values: Values
  /** Of one, or of all of the function. */
  readonly path: string
}

function pathOf(name: string, id: string | undefined): string {
  const all = `/v1/functions/${encodeURIComponent(name)}/dead-letters`
  return id === undefined ? all : `${all}/${encodeURIComponent(id)}`
}

async function list(name: string, { client, terminal, values, path }: Context): Promise<ExitCode> {
  const response = await client.call(`${path}?limit=${integerValue(values, 'limit', 20)}`)
  const { deadLetters: letters } = (await response.json()) as { deadLetters: Letter[] }
  if (values.json === true) printJson(terminal, letters)
  else if (letters.length === 0) terminal.err(`no dead letters of ${name}\n`)
  else
    terminal.out(
      table([['ID', 'VERSION', 'STATE', 'TRIES', 'SINCE', 'ERROR'], ...letters.map(row)], terminal.outColors),
    )
  return EXIT.ok
}

function row({ id, version, state, attempts, at, error }: Letter): string[] {
  const message = `${error.code}: ${error.message}`.split('\n')[0] ?? ''
  return [id, String(version), state, String(attempts), localTime(at), message.slice(0, 80)]
}

async function show({ client, terminal, values, path }: Context): Promise<ExitCode> {
  const letter = (await (await client.call(path)).json()) as Letter
  if (values.json === true) {
    printJson(terminal, letter)
    return EXIT.ok
  }
  const { request, input, error } = letter
  terminal.out(
    fields(
      [
        ['id', letter.id],
        ['function', `${letter.function}@${letter.version}`],
        ['state', `${letter.state} after ${letter.attempts} tries`],
        ['error', `${error.code}: ${error.message}`],
        ['request', `${request.method} ${request.target}, ${request.bodyBytes} bytes`],
        ['accepted', localTime(letter.acceptedAt)],
        ['since', localTime(letter.at)],
        [input?.bodyEncoding === 'base64' ? 'body (base64)' : 'body', input?.body ?? ''],
      ],
      terminal.outColors,
    ),
  )
  return EXIT.ok
}

function act(action: Action, id: string | undefined, context: Context): Promise<ExitCode> {
  switch (action) {
    case 'redrive':
      return redrive(id, context)
    case 'purge':
      return purge(id, context)
    default:
      return action satisfies never
  }
}

async function redrive(id: string | undefined, { client, terminal, values, path }: Context): Promise<ExitCode> {
  const version = textValue(values, 'version')
  const init = version === undefined ? {} : { body: JSON.stringify({ version: integerValue(values, 'version', 1) }) }
  const response = await client.call(`${path}/redrive`, { method: 'POST', ...init })
  const answer = (await response.json()) as { id: string } & Record<'redriven' | 'failed' | 'remaining', number>
  if (values.json === true) printJson(terminal, answer)
  else if (id !== undefined) terminal.out(`${answer.id}\n`)
  else {
    const { redriven, failed, remaining } = answer
    terminal.out(`${terminal.outColors.green('✓')} ${redriven} queued again\n`)
    if (failed > 0) terminal.err(`${failed} could not be queued\n`)
    if (remaining > 0) terminal.err(`${remaining} are there now: the same command goes on\n`)
  }
  return id === undefined && answer.failed > 0 ? EXIT.failed : EXIT.ok
}

async function purge(id: string | undefined, { client, terminal, values, path }: Context): Promise<ExitCode> {
  const response = await client.call(path, { method: 'DELETE' })
  const purged = id === undefined ? ((await response.json()) as { purged: number }).purged : 1
  if (values.json === true) printJson(terminal, { purged })
  else terminal.out(`${terminal.outColors.green('✓')} removed ${purged}\n`)
  return EXIT.ok
}
