// What a command of the CLI is: its arguments as data, from which they are parsed and its help is written.
import { parseArgs } from 'node:util'

import { usageError, type ExitCode } from './exit.ts'
import type { Colors, Terminal } from './terminal.ts'

export interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** May be given more than once. */
  readonly multiple?: boolean
  /** What stands for the value in the help, as in `--name NAME`. */
  readonly value?: string
  readonly description: string
}

export interface Values {
  readonly [option: string]: string | boolean | readonly (string | boolean)[] | undefined
}

export interface Arguments {
  readonly positionals: readonly string[]
  readonly values: Values
}

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows `hearth <name>` in the usage line. */
  readonly usage: string
  readonly minPositionals: number
  readonly maxPositionals: number
  readonly options: Readonly<Record<string, Option>>
  /** Command lines that work, each with what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  /** @throws CliError, PlatformError or ConfigError with what to tell the user */
  run(args: Arguments, terminal: Terminal): Promise<ExitCode>
}

/** Every command has these. */
const COMMON: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', description: 'Print JSON.' },
  help: { type: 'boolean', short: 'h', description: 'Show this help.' },
}

/** @throws CliError when the arguments are not what the command takes */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const { values, positionals } = parsed(command, argv)
  const usage = `usage: hearth ${command.name} ${command.usage}`
  if (values.help === true) return { positionals, values }
  if (positionals.length < command.minPositionals)
    throw usageError(`hearth ${command.name} needs ${command.usage}`, usage)
  if (positionals.length > command.maxPositionals) {
    throw usageError(
      `hearth ${command.name} does not take ${JSON.stringify(positionals[command.maxPositionals])}`,
      usage,
    )
  }
  return { positionals, values }
}

function parsed(command: Command, argv: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, ...COMMON }).map(([name, { type, short, multiple = false }]) => [
      name,
      { type, multiple, ...(short === undefined ? {} : { short }) },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true })
    return { values, positionals }
  } catch (error) {
    const message = error instanceof Error ? (error.message.split(/\.? To specify|\n/)[0] ?? '') : String(error)
    throw usageError(`hearth ${command.name}: ${message}`, `hearth ${command.name} --help lists the options`)
  }
}

export function helpOf(command: Command, colors: Colors): string {
  const options = Object.entries({ ...command.options, ...COMMON }).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `
    return [`${short}--${name}${option.value === undefined ? '' : ` ${option.value}`}`, option.description] as const
  })
  return [
    command.summary,
    '',
    `${colors.bold('Usage:')} hearth ${command.name} ${command.usage}`.trimEnd(),
    '',
    colors.bold('Options:'),
    columns(options),
    '',
    colors.bold('Examples:'),
    ...command.examples.map(([line, meaning]) => `  ${colors.cyan(line)}\n      ${meaning}`),
    '',
  ].join('\n')
}

/** Two columns, the first as wide as its widest cell. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

export function textValue(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function listValue(values: Values, name: string): readonly string[] {
  const value = values[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** @throws CliError when it is not a positive integer */
export function integerValue(values: Values, name: string, fallback: number): number {
  const text = textValue(values, name)
  if (text === undefined) return fallback
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw usageError(`--${name} must be a positive integer: received ${JSON.stringify(text)}`)
}
