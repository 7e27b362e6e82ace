// How results and errors look on a terminal.
import type { Diagnostic } from '#core/build'

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

export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '-'
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
