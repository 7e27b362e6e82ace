// Cuts what a guest prints into lines.

export interface LineWriter {
  readonly write: (bytes: Uint8Array) => undefined
  /** What stands on a line that was never ended becomes a line. */
  end(): void
}

/** A longer line is cut: what never ends must not pile up. */
const MAX_LINE_BYTES = 65_536

export function createLineWriter(onLine: (text: string) => void): LineWriter {
  const decoder = new TextDecoder()
  let rest = ''
  const emit = (): void => {
    onLine(rest.endsWith('\r') ? rest.slice(0, -1) : rest)
    rest = ''
  }
  return {
    write: (bytes) => {
      const parts = decoder.decode(bytes, { stream: true }).split('\n')
      for (const [index, part] of parts.entries()) {
        if (index > 0) emit()
        rest += part
      }
      if (rest.length > MAX_LINE_BYTES) emit()
      return undefined
    },
    end() {
      rest += decoder.decode()
      if (rest !== '') emit()
    },
  }
}
