// The schemas of triggers and events, from the tables that their parsers work by.
import { SOURCE_KINDS } from '#core/trigger'

import { SOURCES } from '../sources/catalogue.ts'
import type { SourceField, SourceFields } from '../sources/fields.ts'
import { RETRY_FIELDS, TRIGGER_FIELDS } from '../triggers/spec.ts'
import { integer, list, object, pathParam, ref, string, TIME } from './operation.ts'
import type { Schema } from './operation.ts'

export const TRIGGER = pathParam(
  'name',
  string('Name of the trigger', { pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$', example: 'nightly' }),
)

export function triggerSchemas(): Record<string, Schema> {
  return {
    CloudEvent: cloudEvent(),
    Trigger: object({
      name: string('Name'),
      spec: ref('TriggerSpec'),
      status: ref('TriggerStatus'),
      revision: integer('Counts changes of the spec'),
      createdAt: TIME,
      updatedAt: TIME,
    }),
    TriggerSpec: triggerSpec(),
    TriggerStatus: object(
      {
        state: string('`failing`: the source cannot be reached or refuses, and is tried again', {
          enum: ['starting', 'listening', 'failing', 'disabled'],
        }),
        underWay: integer('Invocations that are not over; 0 where concurrency is'),
        received: counter('Events that came'),
        matched: counter('Events that the filter let through'),
        invocations: counter('Invocations that were queued'),
        redelivered: counter('Events that came again'),
        failed: counter('Invocations that failed for good'),
        at: TIME,
      },
      {
        reason: string('Why it is failing'),
        lag: integer('Events that wait at the source'),
        lagMs: integer('Age of the oldest of them, ms'),
        lastEventAt: TIME,
        nextAt: { ...TIME, description: 'When a schedule is due next, ms since the epoch' },
      },
    ),
  }
}

function triggerSpec(): Schema {
  const filter = {
    type: 'object',
    additionalProperties: true,
    description: 'By path (an attribute, or data.…) what must match; docs/events.md',
  }
  const common = {
    ...propertiesOf(TRIGGER_FIELDS),
    filter,
    retry: { type: 'object', additionalProperties: false, properties: propertiesOf(RETRY_FIELDS) },
  }
  const kinds = SOURCE_KINDS.flatMap((kind) => {
    const fields = SOURCES[kind]?.fields
    return fields === undefined ? [] : [kindSchema(kind, fields)]
  })
  return {
    type: 'object',
    properties: { ...common, source: { type: 'object' } },
    required: ['kind', 'function'],
    oneOf: kinds,
  }
}

function kindSchema(kind: string, fields: SourceFields): Schema {
  const required = Object.keys(fields).filter((name) => fields[name]?.required === true)
  const source = { type: 'object', additionalProperties: false, properties: propertiesOf(fields), required }
  return {
    title: kind,
    properties: { kind: { enum: [kind] }, source },
    ...(required.length > 0 ? { required: ['source'] } : {}),
  }
}

function propertiesOf(fields: SourceFields): Record<string, Schema> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)]))
}

function fieldSchema(field: SourceField): Schema {
  const { description } = field
  const preset = field.required === true ? {} : { default: field.default }
  switch (field.type) {
    case 'integer':
      return { type: 'integer', minimum: field.minimum, maximum: field.maximum, ...preset, description }
    case 'flag':
      return { type: 'boolean', ...preset, description }
    case 'choice':
      return { type: 'string', enum: field.choices, ...preset, description }
    case 'text':
      return { type: 'string', ...preset, description, ...secret(field.secret) }
    case 'list':
      return { ...list({ type: 'string' }), ...preset, description, ...secret(field.secret) }
    case 'url':
      return { type: 'string', format: 'uri', ...preset, description }
    default:
      return field satisfies never
  }
}

function counter(what: string): Schema {
  return integer(`${what}, since the trigger was made`)
}

/** Shown as *** in answers. */
function secret(is: true | undefined): Schema {
  return is === true ? { format: 'password' } : {}
}

function cloudEvent(): Schema {
  const attributes = {
    specversion: { type: 'string', enum: ['1.0'] },
    id: string('Unique among the events of the source'),
    source: string('What it happened in', { format: 'uri-reference' }),
    type: string('What happened'),
  }
  const optional = {
    time: string('', { format: 'date-time' }),
    subject: string('What of the source it is about'),
    datacontenttype: string('Media type of the data'),
    dataschema: string('', { format: 'uri' }),
    data: { description: 'JSON, or text' },
    data_base64: string('Data that is neither', { contentEncoding: 'base64' }),
  }
  return { ...object(attributes, optional), additionalProperties: true, description: 'CloudEvents 1.0, JSON format' }
}
