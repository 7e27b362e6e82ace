// What was thrown where nobody catches it: it goes to the function's log, and nothing stops.

interface WithConsole {
  readonly console: { error(...values: readonly unknown[]): void }
}

export function report(...values: readonly unknown[]): void {
  ;(globalThis as unknown as WithConsole).console.error(...values)
}
