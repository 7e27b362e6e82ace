// What was thrown when it can change nothing any more: it goes to the function's log.

interface WithConsole {
  readonly console: { error(...values: readonly unknown[]): void }
}

export function report(...values: readonly unknown[]): void {
  ;(globalThis as unknown as WithConsole).console.error(...values)
}
