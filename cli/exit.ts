// How a command ends. docs/cli.md lists the codes.
import type { Diagnostic } from '#core/build'

export const EXIT = {
  ok: 0,
  /** The operation was tried and failed: the code does not build, the function failed, the platform failed. */
  failed: 1,
  /** The command line or a setting is wrong; nothing was tried. */
  usage: 2,
  /** Hearth cannot be reached, or refuses the token. */
  unreachable: 3,
  /** What the command names is not there. */
  notFound: 4,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface CliErrorDetails {
  readonly exit: ExitCode
  /** What to do next, one line. */
  readonly hint?: string | undefined
  /** Where in the user's code. */
  readonly diagnostics?: readonly Diagnostic[]
  /** The stable code of the platform's error, when it came from there. */
  readonly code?: string | undefined
}

/** Something to tell the user in one sentence; never shown with a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exit: ExitCode
  readonly hint: string | undefined
  readonly diagnostics: readonly Diagnostic[]
  readonly code: string | undefined

  constructor(message: string, { exit, hint, diagnostics = [], code }: CliErrorDetails) {
    super(message)
    this.exit = exit
    this.hint = hint
    this.diagnostics = diagnostics
    this.code = code
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { exit: EXIT.usage, hint })
}
