// How console shows values: texts as they are, everything else much as Node does, on one line where it fits.

const MAX_DEPTH = 4
const MAX_ITEMS = 100
const LINE = 76

/** The arguments of a console call as one text; `%s %d %i %f %j %o %O %%` in the first are filled in. */
export function format(values: readonly unknown[]): string {
  const [first, ...rest] = values
  if (typeof first !== 'string') return values.map((value) => show(value)).join(' ')
  const filled = first.replaceAll(/%[sdifjoO%]/g, (directive) => {
    if (directive === '%%') return '%'
    return rest.length === 0 ? directive : fill(directive, rest.shift())
  })
  return [filled, ...rest.map((value) => show(value))].join(' ')
}

function fill(directive: string, value: unknown): string {
  if (directive === '%d') return String(Number(value))
  if (directive === '%i') return String(Number.parseInt(String(value), 10))
  if (directive === '%f') return String(Number.parseFloat(String(value)))
  if (directive === '%j') return JSON.stringify(value) ?? 'undefined'
  return directive === '%s' ? show(value) : inspect(value)
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value)
}

export function inspect(value: unknown, parents: readonly object[] = []): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `[${value.name === '' ? 'function' : `Function: ${value.name}`}]`
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  if (parents.includes(value)) return '[Circular]'
  try {
    return inspectObject(value, [...parents, value])
  } catch (thrown) {
    return `[cannot be shown: ${String(thrown)}]`
  }
}

function inspectObject(value: object, parents: readonly object[]): string {
  const nested = (item: unknown): string => inspect(item, parents)
  if (value instanceof Error) return inspectError(value, nested)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof RegExp) return String(value)
  const name = nameOf(value)
  if (parents.length > MAX_DEPTH) return Array.isArray(value) ? '[Array]' : `[${name || 'Object'}]`
  if (Array.isArray(value)) return bracketed('[', value.slice(0, MAX_ITEMS).map(nested), ']', value.length)
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const numbers = value as unknown as ArrayLike<number>
    const items = Array.from({ length: Math.min(numbers.length, MAX_ITEMS) }, (_, index) => String(numbers[index]))
    return `${name}(${numbers.length}) ${bracketed('[', items, ']', numbers.length)}`
  }
  if (value instanceof Map) {
    const items = [...value].slice(0, MAX_ITEMS).map(([key, item]) => `${nested(key)} => ${nested(item)}`)
    return `Map(${value.size}) ${bracketed('{', items, '}', value.size)}`
  }
  if (value instanceof Set) {
    return `Set(${value.size}) ${bracketed('{', [...value].slice(0, MAX_ITEMS).map(nested), '}', value.size)}`
  }
  if (value instanceof Promise) return 'Promise {}'
  return `${name === 'Object' || name === '' ? '' : `${name} `}${properties(value, nested)}`
}

/** What iterates over pairs, as Headers does, is shown by them. */
function properties(value: object, nested: (item: unknown) => string): string {
  const pairs = value as { entries?: unknown; [Symbol.iterator]?: unknown }
  if (typeof pairs.entries === 'function' && typeof pairs[Symbol.iterator] === 'function') {
    const items = [...(value as Iterable<[string, unknown]>)].map(([key, item]) => `${key}: ${nested(item)}`)
    return bracketed('{', items, '}', items.length)
  }
  const keys = Object.keys(value)
  const items = keys.slice(0, MAX_ITEMS).map((key) => {
    const shown = /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key)
    return `${shown}: ${nested((value as Record<string, unknown>)[key])}`
  })
  return bracketed('{', items, '}', keys.length)
}

function inspectError(error: Error, nested: (item: unknown) => string): string {
  const head = `${error.name}: ${error.message}`
  const stack = typeof error.stack === 'string' ? error.stack.trimEnd() : ''
  const whole = stack === '' ? head : stack.startsWith(error.name) ? stack : `${head}\n${stack}`
  return error.cause === undefined ? whole : `${whole}\n[cause]: ${nested(error.cause)}`
}

function bracketed(open: string, items: readonly string[], close: string, total: number): string {
  if (total === 0) return open + close
  const all = total > items.length ? [...items, `... ${total - items.length} more`] : items
  const line = `${open} ${all.join(', ')} ${close}`
  if (line.length <= LINE && !line.includes('\n')) return line
  return `${open}\n  ${all.join(',\n').replaceAll('\n', '\n  ')}\n${close}`
}

function quoted(text: string): string {
  return text.includes("'") ? JSON.stringify(text) : `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown }
  return typeof constructor === 'function' ? constructor.name : ''
}
