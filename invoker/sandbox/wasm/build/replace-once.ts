// For patches of what jco generates: they must fit, or the build fails.

/** A place in generated code, and what to put there. */
export interface Patch {
  /** For the error: "the tick loop of jco". */
  readonly what: string
  readonly search: string
  readonly replacement: string
}

/** @throws Error when `search` is not there exactly once: jco generates something else by now */
export function replaceOnce(text: string, { what, search, replacement }: Patch): string {
  const parts = text.split(search)
  const [before, after] = parts
  if (parts.length !== 2 || before === undefined || after === undefined) {
    throw new Error(`${what} has changed: expected once, found ${parts.length - 1} times: ${search}`)
  }
  return before + replacement + after
}
