// How results and errors look on a terminal.
import type { Diagnostic } from '#core/build'
import { RECORD_STATES, type RecordState } from '#core/record'

import type { CliError } from './exit.ts'
import type { Colors, Terminal } from './terminal.ts'

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** Columns as wide as their widest cell; the first row is the head. */
export function table(rows: readonly (readonly string[])[], colors: Colors): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row, index) => {
      const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
      return `${index === 0 ? colors.dim(line.trimEnd()) : line.trimEnd()}\n`
    })
    .join('')
}

/** `name  value` lines. */
export function fields(entries: readonly (readonly [string, string])[], colors: Colors): string {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${colors.dim(name.padEnd(width))}  ${value}\n`).join('')
}

export function printError(terminal: Terminal, error: CliError): void {
  const colors = terminal.errColors
  terminal.err(`${colors.red('error')}: ${error.message}\n`)
  for (const diagnostic of error.diagnostics) terminal.err(diagnosticText(diagnostic, colors))
  if (error.hint !== undefined) terminal.err(`${colors.cyan('hint')}: ${error.hint}\n`)
}

/** One line: what a program needs to go on. */
export function printJsonError(terminal: Terminal, { message, code, exit, hint, diagnostics }: CliError): void {
  const more = diagnostics.length === 0 ? {} : { diagnostics }
  terminal.err(`${JSON.stringify({ error: { message, code, exit, hint, ...more } })}\n`)
}

/** `file:line:column: message` as editors and terminals know it, then the line with a mark under the column. */
function diagnosticText({ message, file, line, column, excerpt }: Diagnostic, colors: Colors): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  const head = `  ${place === '' ? '' : `${colors.bold(place)}: `}${message}\n`
  if (excerpt === undefined) return head
  const mark = column === undefined ? '' : `    ${' '.repeat(Math.max(0, column - 1))}${colors.red('^')}\n`
  return `${head}    ${excerpt}\n${mark}`
}

/** `2026-11-20 09:28:50` in local time. */
export function localTime(ms: number): string {
  return new Date(ms).toLocaleString('sv-SE')
}

/** The state of a record, as long as the longest. */
export function stateText(state: RecordState, colors: Colors): string {
  const text = state.padEnd(LONGEST_STATE)
  switch (state) {
    case 'queued':
      return colors.dim(text)
    case 'running':
      return colors.cyan(text)
    case 'succeeded':
      return colors.green(text)
    case 'cancelled':
    case 'expired':
      return colors.yellow(text)
    case 'failed':
    case 'timed-out':
    case 'out-of-memory':
      return colors.red(text)
    default:
      return state satisfies never
  }
}

const LONGEST_STATE = Math.max(...RECORD_STATES.map((state) => state.length))

/** How long ago it was: `12 s`, `3 min`, `5 h`, `2 d`. */
export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}

export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '-'
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
