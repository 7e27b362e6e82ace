// hearth invoke <name>: calls a function and prints what it answered.
import { readFile } from 'node:fs/promises'

import type { InvocationRecord } from '#core/record'

import { connect, errorOf, type Client } from '../client.ts'
import { listValue, textValue, type Command, type Values } from '../command.ts'
import { CliError, EXIT, usageError, type ExitCode } from '../exit.ts'
import { isLater, LATER_OPTIONS, laterQuery } from '../later.ts'
import { milliseconds, printJson } from '../output.ts'
import { waitForRecord } from '../records.ts'
import type { Terminal } from '../terminal.ts'

interface Request {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

export const invoke: Command = {
  name: 'invoke',
  summary: 'Call a function. The body goes to standard output; -v shows status and headers on standard error.',
  usage: '<name>',
  minPositionals: 1,
  maxPositionals: 1,
  options: {
    data: { type: 'string', short: 'd', value: 'DATA', description: 'Body: text, @file, or @- for standard input.' },
    request: {
      type: 'string',
      short: 'X',
      value: 'METHOD',
      description: 'Method. Default: POST with a body, else GET.',
    },
    header: {
      type: 'string',
      short: 'H',
      multiple: true,
      value: 'NAME:VALUE',
      description: 'Header; may be repeated.',
    },
    path: { type: 'string', short: 'p', value: 'PATH', description: 'Path and query below the function.' },
    async: { type: 'boolean', short: 'a', description: 'Only accept it: prints the id of the invocation.' },
    wait: { type: 'boolean', short: 'w', description: 'With --async: wait for the end and print the result.' },
    ...LATER_OPTIONS,
    'idempotency-key': {
      type: 'string',
      short: 'k',
      value: 'KEY',
      description: 'Do it once, however often it is sent with this key.',
    },
    verbose: { type: 'boolean', short: 'v', description: 'Show status, headers and times.' },
  },
  examples: [
    ['hearth invoke hello-js', 'GET /fn/hello-js'],
    [`hearth invoke hello-python -d '{"name":"Ada"}'`, 'POST with a body; JSON is sent as application/json'],
    ['hearth invoke thumbnail -d @photo.png -H "content-type: image/png" > small.png', 'a file in, a file out'],
    ['hearth invoke up -d later --async --wait', 'through the queue'],
    ['hearth invoke up -d later --delay 10m --priority 5', 'in ten minutes, before others of the function'],
    ['hearth invoke pay -d @order.json -k order-1042', 'sent again, it is answered as the first time'],
  ],
  async run({ positionals: [name = ''], values }, terminal) {
    const client = await connect(terminal)
    const request = await requestOf(values, terminal)
    if (values.async === true || isLater(values)) return later(name, request, { client, terminal, values })
    if (values.wait === true) throw usageError('--wait goes with --async')
    return now(name, request, { client, terminal, values })
  },
}

interface Context {
  readonly client: Client
  readonly terminal: Terminal
  readonly values: Values
}

async function now(name: string, request: Request, { client, terminal, values }: Context): Promise<ExitCode> {
  const target = `/fn/${encodeURIComponent(name)}${request.path}`
  let response = await send(client, target, request)
  if (response.headers.get('hearth-error') === 'unauthorized' && client.token !== undefined) {
    // Its spec says `"auth": "token"`: then the platform keeps the header to itself.
    request.headers.set('authorization', `Bearer ${client.token}`)
    response = await send(client, target, request)
  }
  if (values.verbose === true) showMeta(response, terminal)
  if (values.json === true) printJson(terminal, await responseAsJson(response))
  else if (response.headers.has('hearth-error')) throw await platformError(response)
  else for await (const chunk of response.body ?? []) terminal.out(chunk)
  return response.status < 400 ? EXIT.ok : response.status === 404 ? EXIT.notFound : EXIT.failed
}

/** What Hearth said in place of the function. */
async function platformError(response: Response): Promise<CliError> {
  const error = await errorOf(response)
  const id = response.headers.get('hearth-invocation-id')
  // A call that was refused before it had a version, or that ended before it began, has no record.
  const recorded = id !== null && response.headers.has('hearth-version')
  const hint = recorded ? `"hearth invocations ${id}" has the record and the logs` : error.hint
  return new CliError(error.message, { exit: error.exit, hint, code: error.code })
}

function send(client: Client, target: string, { method, headers, body }: Request): Promise<Response> {
  return client.open(target, { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) })
}

function showMeta(response: Response, { err, errColors }: Terminal): void {
  err(errColors.bold(`${response.status} ${response.statusText}\n`))
  for (const [name, value] of response.headers) err(`${errColors.dim(`${name}:`)} ${value}\n`)
  err('\n')
}

async function responseAsJson(response: Response): Promise<unknown> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const text = bytes.toString('utf8')
  const body = Buffer.from(text).equals(bytes)
    ? { body: text }
    : { body: bytes.toString('base64'), bodyEncoding: 'base64' }
  return { status: response.status, headers: Object.fromEntries(response.headers), ...body }
}

async function later(name: string, request: Request, { client, terminal, values }: Context): Promise<ExitCode> {
  if (textValue(values, 'request') !== undefined) {
    throw usageError('--async does not go with --request: what comes out of the queue is a POST')
  }
  const { headers, body } = request
  const query = laterQuery(values)
  if (request.path !== '') query.set('path', request.path.replace(/^\?/, '/?'))
  const path = `/v1/functions/${encodeURIComponent(name)}/invocations?${query.toString()}`
  const response = await client.call(path, { method: 'POST', headers, ...(body === undefined ? {} : { body }) })
  const accepted = (await response.json()) as { readonly id: string }
  if (values.wait !== true) {
    if (values.json === true) printJson(terminal, accepted)
    else terminal.out(`${accepted.id}\n`)
    return EXIT.ok
  }
  const record = await waitForRecord(client, accepted.id, terminal)
  if (values.json === true) printJson(terminal, record)
  else printResult(record, terminal, values.verbose === true)
  return record.state === 'succeeded' ? EXIT.ok : EXIT.failed
}

function printResult(record: InvocationRecord, terminal: Terminal, verbose: boolean): void {
  const { result, error, state, attempts } = record
  if (verbose)
    terminal.err(`${state} after ${attempts.length} attempt(s), ${milliseconds(attempts.at(-1)?.timings?.runMs)}\n`)
  if (result?.body !== undefined) {
    terminal.out(result.bodyEncoding === 'base64' ? Buffer.from(result.body, 'base64') : result.body)
  }
  if (error === undefined) return
  throw new CliError(`${state}: ${error.message}`, {
    exit: EXIT.failed,
    hint: `"hearth invocations ${record.id}" has the record and the logs`,
    code: error.code,
  })
}

async function requestOf(values: Values, terminal: Terminal): Promise<Request> {
  const body = await bodyOf(textValue(values, 'data'), terminal)
  const headers = new Headers(listValue(values, 'header').map(headerPair))
  const key = textValue(values, 'idempotency-key')
  if (key !== undefined) headers.set('idempotency-key', key)
  if (body !== undefined && !headers.has('content-type')) headers.set('content-type', contentTypeOf(body))
  const path = textValue(values, 'path') ?? ''
  return {
    method: (textValue(values, 'request') ?? (body === undefined ? 'GET' : 'POST')).toUpperCase(),
    path: path === '' || /^[/?]/.test(path) ? path : `/${path}`,
    headers,
    body,
  }
}

async function bodyOf(data: string | undefined, terminal: Terminal): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (data === undefined) return undefined
  if (!data.startsWith('@')) return Buffer.from(data)
  if (data === '@-') return Buffer.from(await terminal.input())
  return readFile(data.slice(1)).catch((error: unknown) => {
    throw usageError(`cannot read ${data.slice(1)}: ${error instanceof Error ? error.message : String(error)}`)
  })
}

function contentTypeOf(body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8')
  if (!Buffer.from(text).equals(body)) return 'application/octet-stream'
  try {
    JSON.parse(text)
    return 'application/json'
  } catch {
    return 'text/plain; charset=utf-8'
  }
}

function headerPair(text: string): [string, string] {
  const at = text.indexOf(':')
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  throw usageError(`--header must be NAME:VALUE: received ${JSON.stringify(text)}`)
}
