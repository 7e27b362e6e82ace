// The spec of a trigger from a command line: options, and a JSON file under them. What is in it is checked by the API.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { listValue, type Option, type Values } from '../command.ts'
import { usageError } from '../exit.ts'
import type { Terminal } from '../terminal.ts'

/** Fields of a trigger that are one text, by option. */
const FIELDS = {
  kind: ['kind', 'KIND', 'What the events come from: schedule, http, events, nats, amqp, mqtt, …'],
  function: ['function', 'NAME', 'The function that gets them.'],
  path: ['path', 'PATH', 'Path and query that the function sees.'],
  'batch-size': ['batchSize', 'N', 'Most events in one invocation.'],
  'batch-window-ms': ['batchWindowMs', 'N', 'How long an event waits for others.'],
  concurrency: ['concurrency', 'N', 'Most invocations that are not over.'],
  mode: ['mode', 'MODE', 'How a single event is sent: binary or structured.'],
  'max-age-ms': ['maxAgeMs', 'N', 'An invocation that could not start for so long ends as expired.'],
} as const

export const SPEC_OPTIONS: Readonly<Record<string, Option>> = {
  file: { type: 'string', value: 'FILE', description: 'A JSON file with the spec, - for standard input; options win.' },
  ...Object.fromEntries(
    Object.entries(FIELDS).map(([option, [, value, description]]) => [option, { type: 'string', value, description }]),
  ),
  set: {
    type: 'string',
    short: 's',
    multiple: true,
    value: 'NAME=VALUE',
    description: 'A field of the source, such as cron or url; may be repeated.',
  },
  retry: {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    description: 'maxAttempts, backoff, delayMs or maxDelayMs; may be repeated.',
  },
  filter: { type: 'string', value: 'JSON', description: 'Which events are wanted (docs/events.md).' },
  disabled: { type: 'boolean', description: 'Make it without letting it receive.' },
}

/** @throws CliError when the file is no JSON object, or an option is malformed */
export async function specOf(values: Values, terminal: Terminal): Promise<Record<string, unknown>> {
  const { file, filter, disabled } = values
  const spec = typeof file === 'string' ? await specInFile(file, terminal) : {}
  for (const [option, [field]] of Object.entries(FIELDS)) if (values[option] !== undefined) spec[field] = values[option]
  if (typeof filter === 'string') spec.filter = parseObject(filter, '--filter')
  if (disabled === true) spec.enabled = false
  for (const [option, field] of [
    ['set', 'source'],
    ['retry', 'retry'],
  ] as const) {
    const pairs = listValue(values, option).map((text) => pairOf(text, option))
    if (pairs.length > 0) spec[field] = { ...(spec[field] as object | undefined), ...Object.fromEntries(pairs) }
  }
  return spec
}

async function specInFile(file: string, terminal: Terminal): Promise<Record<string, unknown>> {
  const bytes = file === '-' ? await terminal.input() : await read(resolve(terminal.cwd, file))
  return parseObject(Buffer.from(bytes).toString(), file)
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw usageError(`cannot read ${path}: ${(error as Error).message}`)
  }
}

function parseObject(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw usageError(`${where} must be a JSON object: received ${JSON.stringify(text.slice(0, 80))}`)
}

function pairOf(text: string, option: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw usageError(`--${option} must be NAME=VALUE: received ${JSON.stringify(text)}`)
}
