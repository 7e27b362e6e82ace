// The fields of a source as a table: one is the parser, the OpenAPI schema, the docs, and says what is secret.
import { PlatformError } from '#core/errors'
import { nearest } from '#core/nearest'

interface FieldBase {
  readonly description: string
  /** It has no default and must be given. */
  readonly required?: true
}

export type SourceField = FieldBase &
  (
    | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number; readonly default: number }
    | { readonly type: 'flag'; readonly default: boolean }
    | { readonly type: 'choice'; readonly choices: readonly string[]; readonly default: string }
    /** Empty is allowed only as the default: not given. */
    | {
        readonly type: 'text'
        readonly pattern: RegExp
        readonly expected: string
        readonly default: string
        readonly secret?: true
      }
    | {
        readonly type: 'list'
        readonly pattern: RegExp
        readonly expected: string
        readonly default: readonly string[]
        readonly secret?: true
      }
    /** Its password is secret. Empty is allowed only as the default: not given. */
    | { readonly type: 'url'; readonly protocols: readonly string[]; readonly default: string }
  )

export type SourceFields = Readonly<Record<string, SourceField>>

type ValueOf<F extends SourceField> = F extends { type: 'integer' }
  ? number
  : F extends { type: 'flag' }
    ? boolean
    : F extends { type: 'list' }
      ? readonly string[]
      : F extends { type: 'choice'; choices: readonly (infer C)[] }
        ? C
        : string

/** What the parser makes of a table: every field is there. */
export type OptionsOf<F extends SourceFields> = { readonly [K in keyof F]: ValueOf<F[K]> }

/** What a secret is shown as; a PUT that has it keeps the secret that is there. */
export const HIDDEN = '***'

/**
 * Complete options from partial ones.
 * @param where the object that the fields are in, for errors: `source`; empty: the trigger itself
 * @param others fields that there are besides, for errors
 * @throws PlatformError `invalid-trigger`, naming the field, what was expected and what was received
 */
export function parseFields<F extends SourceFields>(
  fields: F,
  input: Readonly<Record<string, unknown>>,
  where: string,
  others: readonly string[] = [],
): OptionsOf<F> {
  const path = (name: string): string => (where === '' ? name : `${where}.${name}`)
  const unknown = Object.keys(input).find((name) => !Object.hasOwn(fields, name))
  if (unknown !== undefined) throw unknownField(path(unknown), unknown, [...Object.keys(fields), ...others])
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const value = input[name]
      if (value !== undefined) return [name, parseField(field, value, path(name))]
      if (field.required === true) throw invalidField(path(name), `given: ${field.description}`, value)
      return [name, field.default]
    }),
  ) as OptionsOf<F>
}

function unknownField(path: string, name: string, known: readonly string[]): PlatformError {
  const near = nearest(name, known)
  const advice = near === undefined ? `the fields are ${known.join(', ') || 'none'}` : `did you mean ${near}?`
  return new PlatformError('invalid-trigger', {
    detail: `unknown field ${JSON.stringify(path.slice(0, 80))}: ${advice}`,
    members: { field: path.slice(0, 80) },
  })
}

function parseField(field: SourceField, value: unknown, name: string): unknown {
  switch (field.type) {
    case 'integer': {
      // As text it comes from a command line.
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
      if (Number.isSafeInteger(number) && (number as number) >= field.minimum && (number as number) <= field.maximum) {
        return number
      }
      throw invalidField(name, `an integer in [${field.minimum}, ${field.maximum}]`, value)
    }
    case 'flag':
      if (value === true || value === 'true') return true
      if (value === false || value === 'false') return false
      throw invalidField(name, 'true or false', value)
    case 'choice':
      if (typeof value === 'string' && field.choices.includes(value)) return value
      throw invalidField(name, `one of ${field.choices.join(', ')}`, value)
    case 'text':
      if (typeof value === 'string' && (value === field.default || field.pattern.test(value))) return value
      throw invalidField(name, field.expected, field.secret === true ? undefined : value)
    case 'list': {
      const list = typeof value === 'string' ? value.split(',').filter(Boolean) : value
      if (Array.isArray(list) && list.every((item) => typeof item === 'string' && field.pattern.test(item))) return list
      throw invalidField(name, field.expected, field.secret === true ? undefined : value)
    }
    case 'url':
      return parseUrl(field, value, name)
    default:
      return field satisfies never
  }
}

function parseUrl(field: SourceField & { type: 'url' }, value: unknown, name: string): string {
  if (value === field.default) return field.default
  const protocols = field.protocols.map((protocol) => `${protocol}:`)
  if (typeof value === 'string' && URL.canParse(value) && protocols.includes(new URL(value).protocol)) {
    // There it would be shown.
    const secret = [...new URL(value).searchParams.keys()].find((key) => /pass|secret|token|credential/i.test(key))
    if (secret !== undefined)
      throw invalidField(name, 'with its password before the host, where it is not shown', secret)
    return value
  }
  // It may have a password in it.
  const shown = typeof value === 'string' && URL.canParse(value) ? `one of ${new URL(value).protocol}` : undefined
  throw invalidField(name, `a URL of ${field.protocols.map((protocol) => `${protocol}:`).join(', ')}`, shown)
}

/** @param received left out of the message when undefined: it is not there, or is secret */
export function invalidField(name: string, expected: string, received?: unknown): PlatformError {
  const shown = received === undefined ? 'nothing, or what is not shown' : JSON.stringify(received).slice(0, 200)
  return new PlatformError('invalid-trigger', {
    detail: `${name} must be ${expected}: received ${shown}`,
    members: { field: name },
  })
}
