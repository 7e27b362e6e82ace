// structuredClone for what is data: plain objects, arrays, collections, buffers, dates, errors; cycles are kept.

const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

export function structuredClone<T>(value: T, { transfer = [] }: { transfer?: unknown[] } = {}): T {
  const copy = cloned(value, new Map()) as T
  for (const item of transfer) if (item instanceof ArrayBuffer) item.transfer()
  return copy
}

function cloned(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') throw uncloneable(value)
  if (typeof value !== 'object' || value === null) return value
  if (seen.has(value)) return seen.get(value)
  const keep = <C>(copy: C): C => {
    seen.set(value, copy)
    return copy
  }
  if (Array.isArray(value)) return copyProperties(value, keep(Array.from({ length: value.length })), seen)
  if (value instanceof Date) return keep(new Date(value.getTime()))
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags))
  if (value instanceof ArrayBuffer) return keep(value.slice(0))
  if (ArrayBuffer.isView(value)) return keep(clonedView(value, seen))
  if (value instanceof Error) return clonedError(value, keep, seen)
  if (value instanceof Map) {
    const copy = keep(new Map())
    for (const [key, item] of value) copy.set(cloned(key, seen), cloned(item, seen))
    return copy
  }
  if (value instanceof Set) {
    const copy = keep(new Set())
    for (const item of value) copy.add(cloned(item, seen))
    return copy
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) {
    throw uncloneable(value)
  }
  const primitive: unknown = value.valueOf()
  // A Boolean, Number or String object.
  if (typeof primitive !== 'object') return keep(Object(primitive))
  return copyProperties(value, keep({}), seen)
}

function copyProperties(from: object, to: object, seen: Map<object, unknown>): object {
  for (const [key, item] of Object.entries(from)) {
    Object.defineProperty(to, key, { value: cloned(item, seen), writable: true, enumerable: true, configurable: true })
  }
  return to
}

function clonedView(view: ArrayBufferView, seen: Map<object, unknown>): unknown {
  const View = view.constructor as new (buffer: unknown, offset: number, length: number) => unknown
  const length = view instanceof DataView ? view.byteLength : (view as Uint8Array).length
  return new View(cloned(view.buffer, seen), view.byteOffset, length)
}

function clonedError(error: Error, keep: <C>(copy: C) => C, seen: Map<object, unknown>): Error {
  const Kind = Object.hasOwn(ERRORS, error.name) ? ERRORS[error.name as keyof typeof ERRORS] : Error
  const copy = keep(new Kind(error.message))
  if (error.stack !== undefined) copy.stack = error.stack
  if (error.cause !== undefined) copy.cause = cloned(error.cause, seen)
  return copy
}

function uncloneable(value: unknown): DOMException {
  const what = typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value
  return new DOMException(`${what} could not be cloned`, 'DataCloneError')
}
