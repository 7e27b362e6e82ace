// The `hearth` command: START HERE for the CLI. Finds the command, runs it, turns whatever it throws into one sentence
// and an exit code. Each command is a file under commands/.
import { fileURLToPath } from 'node:url'

import { ConfigError } from '#core/config'
import { PlatformError, problemOf } from '#core/errors'
import { nearest } from '#core/nearest'

import { brokenResponse, problemError } from './client.ts'
import { columns, helpOf, parseArguments, type Command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { CliError, EXIT, usageError, type ExitCode } from './exit.ts'
import { printError, printJsonError } from './output.ts'
import { processTerminal, type Terminal } from './terminal.ts'
import { VERSION } from './version.ts'

/** @param argv what follows `hearth` @returns the exit code; never throws */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const isJson = wantsJson(argv)
  try {
    return await dispatch(argv, isJson ? silent(terminal) : terminal)
  } catch (thrown) {
    if (terminal.signal.aborted) return EXIT.interrupted
    const error = toCliError(thrown)
    if (error === undefined) throw thrown
    if (isJson) printJsonError(terminal, error)
    else printError(terminal, error)
    return error.exit
  }
}

/** Also of a command line that cannot be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json')
}

/** A program that reads standard error finds an error there, or nothing. */
function silent(terminal: Terminal): Terminal {
  return { ...terminal, live: false, err: () => {} }
}

async function dispatch([word, ...rest]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (word === undefined || word === '--help' || word === '-h') return printOverview(terminal)
  if (word === '--version' || word === '-v') {
    terminal.out(`${VERSION}\n`)
    return EXIT.ok
  }
  if (word === 'help') {
    const [topic] = rest
    return topic === undefined ? printOverview(terminal) : printHelp(await load(topic), terminal)
  }
  const command = await load(word)
  const args = parseArguments(command, rest)
  return args.values.help === true ? printHelp(command, terminal) : command.run(args, terminal)
}

async function load(name: string): Promise<Command> {
  const loader = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (loader !== undefined) return loader.load()
  const near = nearest(name, Object.keys(COMMANDS))
  throw usageError(
    `there is no command ${JSON.stringify(name)}`,
    near === undefined ? 'hearth help lists the commands' : `did you mean "hearth ${near}"?`,
  )
}

function printOverview(terminal: Terminal): ExitCode {
  const colors = terminal.outColors
  terminal.out(
    [
      `${colors.bold('hearth')} ${VERSION}: serverless functions on your own machine`,
      '',
      `${colors.bold('Usage:')} hearth <command> [options]`,
      '',
      colors.bold('Commands:'),
      columns(Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary])),
      '',
      '"hearth help <command>" or "hearth <command> --help" tells more. Settings and exit codes: docs/cli.md.',
      '',
    ].join('\n'),
  )
  return EXIT.ok
}

function printHelp(command: Command, terminal: Terminal): ExitCode {
  terminal.out(helpOf(command, terminal.outColors))
  return EXIT.ok
}

/** Undefined for what is not meant for the user: a fault of the CLI itself. */
function toCliError(thrown: unknown): CliError | undefined {
  if (thrown instanceof CliError) return thrown
  if (thrown instanceof ConfigError) return new CliError(thrown.message, { exit: EXIT.usage })
  return thrown instanceof PlatformError ? problemError(problemOf(thrown)) : brokenResponse(thrown)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  // `hearth logs | head`: whoever read is gone, and that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
  )
  // The timers of the clock keep no process alive, and a command may wait for nothing else.
  const { port1: awake } = new MessageChannel()
  awake.ref()
  process.exitCode = await runCli(process.argv.slice(2), processTerminal(interrupted.signal))
  awake.close()
}
