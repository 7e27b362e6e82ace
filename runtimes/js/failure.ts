// What was thrown, as the world's `failure`.

export interface Failure {
  readonly name: string
  readonly message: string
  readonly stack: string
}

/** Texts without lone surrogates, which could not leave the component. Never throws, whatever was thrown. */
export function failureOf(thrown: unknown): Failure {
  try {
    const { name, message, stack } = (thrown instanceof Error ? thrown : {}) as Partial<Error>
    return {
      name: text(name, thrown === null ? 'null' : typeof thrown === 'object' ? 'Error' : typeof thrown),
      message: text(message, describe(thrown)),
      stack: text(stack, ''),
    }
  } catch {
    return { name: 'Error', message: 'a value that cannot be shown was thrown', stack: '' }
  }
}

function text(value: unknown, fallback: string): string {
  return (typeof value === 'string' ? value : fallback).toWellFormed()
}

function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  const shown = typeof thrown === 'object' && thrown !== null ? JSON.stringify(thrown) : String(thrown)
  return shown ?? Object.prototype.toString.call(thrown)
}
