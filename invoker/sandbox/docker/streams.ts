// Reads the JSON lines with which the daemon reports on a build, an import or a pull. Errors come in the stream too.
import type { Readable } from 'node:stream'

interface Report {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly errorDetail?: { readonly message?: string }
}

/**
 * Resolves at the end of the stream. `onReport` is called with every line of text.
 * @throws Error with the daemon's message when it reports one; the signal's reason when it aborts
 */
export async function readReports(
  stream: NodeJS.ReadableStream,
  onReport: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const readable = stream as Readable
  const abort = (): void => void readable.destroy(signal.reason as Error)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    let rest = ''
    for await (const chunk of readable.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) readReport(line, onReport)
    }
    readReport(rest, onReport)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function readReport(line: string, onReport: (text: string) => void): void {
  if (line.trim() === '') return
  const report = JSON.parse(line) as Report
  const error = report.errorDetail?.message ?? report.error
  if (error !== undefined) throw new Error(error)
  const text = (report.stream ?? report.status ?? '').trim()
  if (text !== '') onReport(report.id === undefined ? text : `${report.id}: ${text}`)
}
