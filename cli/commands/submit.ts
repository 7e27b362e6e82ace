// hearth submit <name> <file>: queues a call for each line of a file.
import { readFile } from 'node:fs/promises'

import { connect, type Client, type Problem } from '../client.ts'
import { integerValue, textValue, type Command } from '../command.ts'
import { EXIT, usageError } from '../exit.ts'
import { printJson } from '../output.ts'
import { startProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'

const BATCH_LINES = 10_000
const BATCH_BYTES = 32 * 1024 * 1024
/** Rejected lines that are shown. */
const SHOWN = 20

type LineAnswer = { readonly id: string } | { readonly error: Problem }

interface Answer {
  readonly accepted: number
  readonly rejected: number
  readonly invocations: readonly LineAnswer[]
}

export const submit: Command = {
  name: 'submit',
  summary: 'Queue a call for each line of a file: JSON such as {"body":"…","priority":3}, see docs/cli.md.',
  usage: '<name> <file>',
  minPositionals: 2,
  maxPositionals: 2,
  options: {
    'idempotency-key': {
      type: 'string',
      short: 'k',
      value: 'KEY',
      description: 'Queue each line once, however often the file is sent: its key is KEY and the number of the line.',
    },
    batch: { type: 'string', value: 'N', description: `Lines a request. Default: ${BATCH_LINES}.` },
  },
  examples: [
    ['hearth submit resize jobs.ndjson', 'a call a line'],
    ['hearth submit resize jobs.ndjson -k nightly-2026-11-20', 'can be sent again after a failure'],
    ['hearth submit resize -', 'from standard input'],
  ],
  async run({ positionals: [name = '', file = ''], values }, terminal) {
    const client = await connect(terminal)
    const lines = (await textOf(file, terminal)).split('\n').filter((line) => line.trim() !== '')
    if (lines.length === 0) throw usageError(`${file} has no lines`)
    const key = textValue(values, 'idempotency-key')
    const keyed = key === undefined ? lines : lines.map((line, index) => withKey(line, `${key}-${index + 1}`))
    const answer = await sendAll(keyed, integerValue(values, 'batch', BATCH_LINES), { client, terminal, name })
    if (values.json === true) printJson(terminal, answer)
    else show(answer, terminal)
    return answer.rejected === 0 ? EXIT.ok : EXIT.failed
  },
}

interface Sending {
  readonly client: Client
  readonly terminal: Terminal
  readonly name: string
}

async function sendAll(lines: readonly string[], most: number, { client, terminal, name }: Sending): Promise<Answer> {
  using progress = startProgress(terminal, `submit ${name}`)
  const path = `/v1/functions/${encodeURIComponent(name)}/invocations/batch`
  const headers = { 'content-type': 'application/x-ndjson' }
  const all = { accepted: 0, rejected: 0, invocations: [] as LineAnswer[] }
  for (const batch of batches(lines, most)) {
    progress.step(`${all.invocations.length} of ${lines.length}`)
    const response = await client.call(path, { method: 'POST', headers, body: batch.join('\n') })
    const answer = (await response.json()) as Answer
    all.accepted += answer.accepted
    all.rejected += answer.rejected
    for (const line of answer.invocations) all.invocations.push(line)
  }
  return all
}

function* batches(lines: readonly string[], most: number): Generator<readonly string[]> {
  let batch: string[] = []
  let bytes = 0
  for (const line of lines) {
    if (batch.length === most || (batch.length > 0 && bytes + line.length > BATCH_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(line)
    bytes += line.length
  }
  yield batch
}

function show({ accepted, rejected, invocations }: Answer, { out, err, outColors, errColors }: Terminal): void {
  out(`${outColors.green('✓')} ${accepted} queued\n`)
  if (rejected === 0) return
  err(`${errColors.red('✗')} ${rejected} rejected\n`)
  const wrong = invocations.flatMap((line, index) => ('error' in line ? [[index + 1, line.error] as const] : []))
  for (const [number, { title, detail }] of wrong.slice(0, SHOWN)) err(`  line ${number}: ${detail ?? title}\n`)
  if (wrong.length > SHOWN) err(`  and ${wrong.length - SHOWN} more; --json has all\n`)
}

/** A line with a key of its own keeps it; one that is not an object is left to the server to refuse. */
function withKey(line: string, idempotencyKey: string): string {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return line
    return JSON.stringify({ idempotencyKey, ...value })
  } catch {
    return line
  }
}

async function textOf(file: string, terminal: Terminal): Promise<string> {
  if (file === '-') return Buffer.from(await terminal.input()).toString('utf8')
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw usageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`)
  })
}
