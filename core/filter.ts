// Which events a trigger wants: a declarative match on attributes and JSON data. Pure; decides nothing else.
import { PlatformError } from './errors.ts'
import { isJsonType, type CloudEvent } from './event.ts'

/** One way to match a value. */
export type Condition =
  | { readonly equals: string | number | boolean | null }
  | { readonly prefix: string }
  | { readonly suffix: string }
  /** Bounds of a number; each may be absent. */
  | { readonly numeric: Bounds }
  /** Whether there is such a value at all. */
  | { readonly exists: boolean }
  /** None of them matches; so a value that is not there matches. */
  | { readonly not: readonly Condition[] }

export interface Bounds {
  readonly gt?: number
  readonly gte?: number
  readonly lt?: number
  readonly lte?: number
}

/**
 * By path: an attribute (`type`, `subject`, an extension), `data`, or `data.` and the way into JSON data
 * (`data.order.total`; `\.` is a dot in a name). All paths must match; of the conditions of a path, any. Of an array, any
 * item: `data.items.sku` looks at the sku of every item, `data.items.0.sku` at that of the first.
 */
export type EventFilter = Readonly<Record<string, readonly Condition[]>>

export type Matcher = (event: CloudEvent) => boolean

const MAX_PATHS = 100
const MAX_CONDITIONS = 200
const MAX_TEXT = 1000
const MAX_DEPTH = 5
const PATH = /^(?:[a-z0-9]+|data(?:\.(?:[^.\\]|\\.)+)+)$/
const OPERATORS: ReadonlyMap<string, readonly (keyof Bounds)[]> = new Map([
  ['>', ['gt']],
  ['>=', ['gte']],
  ['<', ['lt']],
  ['<=', ['lte']],
  ['=', ['gte', 'lte']],
])
const BOUNDS = ['gt', 'gte', 'lt', 'lte'] as const
const NOTHING: readonly unknown[] = []
const decoder = new TextDecoder()

/**
 * Reads a filter as people write it: by path a value, a condition (`{"prefix": "a"}`), or a list of both, any of which
 * may match. `numeric` takes `{"gte": 1, "lt": 5}` or `[">=", 1, "<", 5]`; `"="` is a bound on both sides.
 * @throws PlatformError `invalid-trigger`, naming the place: `filter.type[1].prefix`
 */
export function parseFilter(input: unknown): EventFilter {
  if (!isObject(input)) throw refused('filter', 'an object of conditions by path', input)
  const entries = Object.entries(input)
  if (entries.length > MAX_PATHS) throw refused('filter', `at most ${MAX_PATHS} paths`, entries.length)
  return Object.fromEntries(
    entries.map(([path, value]) => {
      const where = `filter.${path.slice(0, 80)}`
      if (!PATH.test(path)) throw refused(where, 'the name of an attribute, data, or data. and a path', path)
      return [path, parseConditions(value, where, 0)]
    }),
  )
}

/** Done once per filter; the matcher reads JSON data at most once per event, and only when a path needs it. */
export function compileFilter(filter: EventFilter): Matcher {
  const tests = Object.entries(filter).map(([path, conditions]) => ({
    // Cheap ones first: most events differ by an attribute.
    cost: path === 'data' || path.startsWith('data.') ? 1 : 0,
    values: compilePath(path),
    matches: anyOf(conditions.map(compileCondition)),
  }))
  const ordered = tests.toSorted((a, b) => a.cost - b.cost)
  return (event) => {
    const view = new EventView(event)
    return ordered.every(({ values, matches }) => matches(values(view)))
  }
}

class EventView {
  readonly attributes: CloudEvent['attributes']
  readonly #event: CloudEvent
  #data: { readonly value: unknown } | undefined

  constructor(event: CloudEvent) {
    this.#event = event
    this.attributes = event.attributes
  }

  /** Undefined when the data is no JSON. */
  get data(): unknown {
    this.#data ??= { value: jsonData(this.#event) }
    return this.#data.value
  }
}

type Values = (view: EventView) => readonly unknown[]
type Test = (values: readonly unknown[]) => boolean

function compilePath(path: string): Values {
  if (path !== 'data' && !path.startsWith('data.')) {
    return ({ attributes }) =>
      !Object.hasOwn(attributes, path) || attributes[path] === undefined ? NOTHING : [attributes[path]]
  }
  const steps = [...path.slice('data'.length).matchAll(/\.((?:[^.\\]|\\.)+)/g)].map((match) =>
    (match[1] as string).replaceAll(/\\(.)/g, '$1'),
  )
  return (view) => (view.data === undefined ? NOTHING : follow(view.data, steps))
}

/** All values at the end of a path: several where it leads through arrays. In no order. */
function follow(data: unknown, steps: readonly string[]): readonly unknown[] {
  const found: unknown[] = []
  // Not by recursion: whoever sends the data says how deep it is.
  const open = [{ value: data, at: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, at } = next
    const step = steps[at]
    if (step === undefined && !Array.isArray(value)) {
      found.push(value)
    } else if (step === undefined) {
      for (const item of value as unknown[]) found.push(item)
    } else if (Array.isArray(value) && !/^\d+$/.test(step)) {
      for (const item of value) open.push({ value: item, at })
    } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, step)) {
      open.push({ value: (value as Record<string, unknown>)[step], at: at + 1 })
    }
  }
  return found
}

function compileCondition(condition: Condition): Test {
  if ('exists' in condition) return (values) => values.length > 0 === condition.exists
  if ('not' in condition) {
    const none = anyOf(condition.not.map(compileCondition))
    return (values) => !none(values)
  }
  const matches = compileValue(condition)
  return (values) => values.some(matches)
}

function compileValue(condition: Exclude<Condition, { exists: unknown } | { not: unknown }>): (v: unknown) => boolean {
  if ('equals' in condition) return (value) => value === condition.equals
  if ('prefix' in condition) return (value) => typeof value === 'string' && value.startsWith(condition.prefix)
  if ('suffix' in condition) return (value) => typeof value === 'string' && value.endsWith(condition.suffix)
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = condition.numeric
  // Without a bound the comparison with infinity would refuse infinity itself, which JSON does not have.
  return (value) => typeof value === 'number' && value > gt && value >= gte && value < lt && value <= lte
}

function anyOf(tests: readonly Test[]): Test {
  const [only] = tests
  return tests.length === 1 && only !== undefined ? only : (values) => tests.some((test) => test(values))
}

function jsonData({ attributes, data }: CloudEvent): unknown {
  if (data.length === 0 || !isJsonType(attributes.datacontenttype)) return undefined
  try {
    return JSON.parse(decoder.decode(data)) as unknown
  } catch {
    return undefined
  }
}

function parseConditions(value: unknown, where: string, depth: number): readonly Condition[] {
  if (!Array.isArray(value)) return [parseCondition(value, where, depth)]
  if (value.length === 0 || value.length > MAX_CONDITIONS) {
    throw refused(where, `1 to ${MAX_CONDITIONS} conditions`, value.length)
  }
  return value.map((item, index) => parseCondition(item, `${where}[${index}]`, depth))
}

function parseCondition(value: unknown, where: string, depth: number): Condition {
  if (isScalar(value)) return { equals: checkText(value, where) }
  const [entry, ...more] = isObject(value) ? Object.entries(value) : []
  if (entry === undefined || more.length > 0 || depth >= MAX_DEPTH) {
    throw refused(where, 'a value, or one of equals, prefix, suffix, numeric, exists, not', value)
  }
  const [operator, operand] = entry
  const place = `${where}.${operator}`
  switch (operator) {
    case 'equals':
      if (isScalar(operand)) return { equals: checkText(operand, place) }
      throw refused(place, 'a text, a number, true, false or null', operand)
    case 'prefix':
    case 'suffix':
      if (typeof operand !== 'string') throw refused(place, 'a text', operand)
      return operator === 'prefix' ? { prefix: checkText(operand, place) } : { suffix: checkText(operand, place) }
    case 'numeric':
      return { numeric: Array.isArray(operand) ? boundsOfList(operand, place) : boundsOfObject(operand, place) }
    case 'exists':
      if (typeof operand === 'boolean') return { exists: operand }
      throw refused(place, 'true or false', operand)
    case 'not':
      return { not: parseConditions(operand, place, depth + 1) }
    default:
      throw refused(place, 'one of equals, prefix, suffix, numeric, exists, not', operator)
  }
}

function boundsOfObject(value: unknown, where: string): Bounds {
  const entries = isObject(value) ? Object.entries(value) : []
  if (entries.length === 0) throw refused(where, 'bounds such as {"gte": 1, "lt": 5} or [">=", 1, "<", 5]', value)
  for (const [name, bound] of entries) {
    if (!BOUNDS.some((known) => known === name)) throw refused(where, `one of ${BOUNDS.join(', ')}`, name)
    if (!isNumber(bound)) throw refused(`${where}.${name}`, 'a number', bound)
  }
  return value as Bounds
}

function boundsOfList(list: readonly unknown[], where: string): Bounds {
  const bounds: Record<string, number> = {}
  for (let at = 0; at < Math.max(list.length, 1); at += 2) {
    const [operator, bound] = [list[at], list[at + 1]]
    const names = typeof operator === 'string' ? OPERATORS.get(operator) : undefined
    if (names === undefined) throw refused(`${where}[${at}]`, `one of ${[...OPERATORS.keys()].join(', ')}`, operator)
    if (!isNumber(bound)) throw refused(`${where}[${at + 1}]`, 'a number', bound)
    for (const name of names) bounds[name] = bound
  }
  return bounds
}

function checkText<T>(value: T, where: string): T {
  if (typeof value !== 'string' || value.length <= MAX_TEXT) return value
  throw refused(where, `at most ${MAX_TEXT} characters`, value.length)
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || isNumber(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(where: string, expected: string, received: unknown): PlatformError {
  const shown = JSON.stringify(received) ?? 'nothing'
  return new PlatformError('invalid-trigger', {
    detail: `${where} must be ${expected}: received ${shown.slice(0, 200)}`,
    members: { field: where },
  })
}
