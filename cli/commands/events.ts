// hearth events publish: events to the bus.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { connect } from '../client.ts'
import { listValue, textValue, type Command, type Values } from '../command.ts'
import { EXIT, usageError } from '../exit.ts'
import { printJson } from '../output.ts'
import type { Terminal } from '../terminal.ts'

export const events: Command = {
  name: 'events',
  summary: 'Publish an event to the bus: the triggers of kind events get it whose filter it matches.',
  usage: 'publish [file]',
  minPositionals: 1,
  maxPositionals: 2,
  options: {
    type: { type: 'string', short: 't', value: 'TYPE', description: 'What happened: shop.order.paid.' },
    source: { type: 'string', value: 'URI', description: 'What it happened in. Default: /cli.' },
    id: { type: 'string', value: 'ID', description: 'Default: a new one. The same again does not run again.' },
    subject: { type: 'string', value: 'TEXT', description: 'What of the source it is about.' },
    data: { type: 'string', short: 'd', value: 'DATA', description: 'Text or JSON, @file, or @- for standard input.' },
    extension: {
      type: 'string',
      short: 'x',
      multiple: true,
      value: 'NAME=VALUE',
      description: 'A further attribute; may be repeated.',
    },
  },
  examples: [
    [`hearth events publish --type shop.order.paid --data '{"total":99.5}'`, 'one event'],
    ['hearth events publish events.json', 'a JSON file with a CloudEvent, or a list of them; - is standard input'],
  ],
  async run({ positionals: [verb, file], values }, terminal) {
    if (verb !== 'publish')
      throw usageError(`hearth events has no ${JSON.stringify(verb)}`, 'usage: hearth events publish')
    const request = file === undefined ? await fromOptions(values, terminal) : await fromFile(file, terminal)
    const client = await connect(terminal)
    const response = await client.call('/v1/events', { method: 'POST', ...request })
    const published = (await response.json()) as Readonly<
      Record<'accepted' | 'deliveries' | 'unmatched' | 'refused', number>
    >
    const { accepted, deliveries, unmatched, refused } = published
    if (values.json === true) printJson(terminal, published)
    else {
      const unwanted = unmatched === 0 ? '' : `; ${unmatched} matched no trigger`
      const lost = refused === 0 ? '' : `; ${refused} for triggers whose function is not there`
      const mark = terminal.outColors.green('✓')
      terminal.out(
        `${mark} ${accepted} accepted, ${deliveries} ${deliveries === 1 ? 'delivery' : 'deliveries'}${unwanted}${lost}\n`,
      )
    }
    return EXIT.ok
  },
}

interface EventRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer>
}

async function fromOptions(values: Values, terminal: Terminal): Promise<EventRequest> {
  const type = textValue(values, 'type')
  if (type === undefined) throw usageError('hearth events publish needs --type or a file')
  const id = textValue(values, 'id') ?? randomUUID()
  const source = textValue(values, 'source') ?? '/cli'
  const subject = textValue(values, 'subject')
  const attributes = { id, source, type, ...(subject === undefined ? {} : { subject }), ...extensionsOf(values) }
  const given = textValue(values, 'data')
  const data = given === undefined ? undefined : (await bytesOf(given, terminal)).toString()
  return structured(JSON.stringify({ specversion: '1.0', ...attributes, ...dataMembers(data) }))
}

function dataMembers(data: string | undefined): object {
  if (data === undefined) return {}
  try {
    return { datacontenttype: 'application/json', data: JSON.parse(data) as unknown }
  } catch {
    return { datacontenttype: 'text/plain', data }
  }
}

function extensionsOf(values: Values): object {
  const pairs = listValue(values, 'extension').map((text) => {
    const at = text.indexOf('=')
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
    throw usageError(`--extension must be NAME=VALUE: received ${JSON.stringify(text)}`)
  })
  return Object.fromEntries(pairs) as object
}

async function fromFile(file: string, terminal: Terminal): Promise<EventRequest> {
  const text = (await bytesOf(`@${file}`, terminal)).toString()
  return structured(text)
}

/** One event, or a list of them. */
function structured(text: string): EventRequest {
  const type = text.trimStart().startsWith('[') ? 'application/cloudevents-batch+json' : 'application/cloudevents+json'
  return { headers: { 'content-type': type }, body: Buffer.from(text) }
}

async function bytesOf(text: string, terminal: Terminal): Promise<Buffer> {
  if (!text.startsWith('@')) return Buffer.from(text)
  if (text === '@-') return Buffer.from(await terminal.input())
  const path = resolve(terminal.cwd, text.slice(1))
  try {
    return await readFile(path)
  } catch (error) {
    throw usageError(`cannot read ${path}: ${(error as Error).message}`)
  }
}
