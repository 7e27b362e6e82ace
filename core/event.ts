// An event, as a source delivers it and as a function gets it: CloudEvents 1.0 as plain data. How one is read from
// and written to HTTP is in gateway/cloud-events, by the SDK; how one is matched is in filter.ts.

/** Attributes have lower-case names, as in the specification. */
export interface EventAttributes {
  readonly id: string
  readonly source: string
  readonly type: string
  /** RFC 3339 */
  readonly time?: string
  readonly subject?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  /** Extensions. */
  readonly [name: string]: string | number | boolean | undefined
}

export interface CloudEvent {
  readonly attributes: EventAttributes
  /** The data as bytes, of `datacontenttype`; empty: no data. */
  readonly data: Uint8Array
}

/** What types of events that Hearth makes itself begin with. */
export const EVENT_TYPE_PREFIX = 'dev.hearth'

const JSON_TYPE = /^[^;]*[/+]json\s*(?:;|$)/i

/** Whether data of this `datacontenttype` is JSON; undefined is what CloudEvents takes for JSON. */
export function isJsonType(datacontenttype: string | undefined): boolean {
  return datacontenttype === undefined || JSON_TYPE.test(datacontenttype)
}
