// A webhook as events: what it carries when it is CloudEvents, else one made of the request.
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import { digestOf } from '#core/digest'
import { EVENT_TYPE_PREFIX } from '#core/event'
import type { TriggerName } from '#core/ids'

import { modeOf, readEvents } from '../../cloud-events/http.ts'
import type { ReceivedEvent } from '../source.ts'
import type { HookOptions } from './options.ts'
import type { SignedRequest } from './verify.ts'

/** Where senders say which delivery it is: the same again when they send it again. */
const DELIVERY_IDS: Readonly<Record<HookOptions['verify'], string>> = {
  none: '',
  hmac: '',
  github: 'x-github-delivery',
  stripe: '',
  'standard-webhooks': 'webhook-id',
}

/** @throws PlatformError `invalid-event` when it says that it is a CloudEvent and is none */
export function eventsOfRequest(
  trigger: TriggerName,
  { headers, body }: SignedRequest,
  options: HookOptions,
): readonly ReceivedEvent[] {
  const mode = modeOf(headers)
  // A signature is over the body: what headers say of an event may have been put there by whoever sends it again.
  if (mode !== undefined && (mode !== 'binary' || options.verify === 'none')) {
    const events = readEvents(headers, body)
    // The one id that is signed too.
    const delivery = options.verify === 'standard-webhooks' ? textOf(headers, 'webhook-id') : undefined
    if (delivery === undefined) return events.map((event) => ({ event, key: keyOf(event.attributes) }))
    return events.map((event, index) => ({ event, key: delivery, content: contentOf(body, index) }))
  }
  const id = textOf(headers, options.idHeader === '' ? DELIVERY_IDS[options.verify] : options.idHeader)
  const known = id ?? (options.verify === 'stripe' ? stripeId(body) : undefined)
  const attributes = {
    id: known ?? randomUUID(),
    source: `/hooks/${trigger}`,
    type: typeOf(headers),
    datacontenttype: textOf(headers, 'content-type'),
  }
  const { datacontenttype, ...rest } = attributes
  const event = { attributes: { ...rest, ...(datacontenttype === undefined ? {} : { datacontenttype }) }, data: body }
  return [{ event, ...(known === undefined ? {} : { key: known, content: contentOf(body, 0) }) }]
}

/** The same whatever the headers say. @param index of the event in the body */
function contentOf(body: Uint8Array, index: number): string {
  return `${digestOf(body)} ${index}`
}

/** What CloudEvents says that identifies an event. */
export function keyOf({ source, id }: { readonly source: string; readonly id: string }): string {
  return `${source}\n${id}`
}

/** `dev.hearth.webhook`, or with what GitHub says that it is: `dev.hearth.webhook.pull_request`. */
function typeOf(headers: IncomingHttpHeaders): string {
  const named = textOf(headers, 'x-github-event')
  const base = `${EVENT_TYPE_PREFIX}.webhook`
  return named !== undefined && /^[\w.-]{1,64}$/.test(named) ? `${base}.${named}` : base
}

/** Stripe has the id in the body. */
function stripeId(body: Uint8Array): string | undefined {
  try {
    const { id } = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString()) as { id?: unknown }
    return typeof id === 'string' && id !== '' ? id : undefined
  } catch {
    return undefined
  }
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = name === '' ? undefined : headers[name.toLowerCase()]
  return typeof value === 'string' && value !== '' ? value : undefined
}
