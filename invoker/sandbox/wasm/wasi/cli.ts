// wasi:cli and a wasi:filesystem with nothing in it.
import { InputStream, OutputStream, type Sink, sourceOf } from './io.ts'

export interface Output {
  readonly stdout: Sink
  readonly stderr: Sink
}

/** Thrown through the guest by wasi:cli/exit. */
export class GuestExit extends Error {
  override readonly name = 'GuestExit'
  readonly code: number

  constructor(code: number) {
    super(`exit code ${code}`)
    this.code = code
  }
}

// A resource that no guest ever gets one of.
// oxlint-disable-next-line typescript/no-extraneous-class -- glue wants a class for each
class Nothing {}

function none(): undefined {
  return undefined
}

export function cliImports(env: Readonly<Record<string, string>>, { stdout, stderr }: Output): Record<string, object> {
  return {
    'wasi:cli/environment': { getEnvironment: () => Object.entries(env), getArguments: () => [], initialCwd: none },
    'wasi:cli/exit': {
      exit(status: { tag: string }) {
        throw new GuestExit(status.tag === 'ok' ? 0 : 1)
      },
      exitWithCode(code: number) {
        throw new GuestExit(code)
      },
    },
    'wasi:cli/stdin': { getStdin: () => new InputStream(sourceOf(new Uint8Array(0))) },
    'wasi:cli/stdout': { getStdout: () => new OutputStream(stdout) },
    'wasi:cli/stderr': { getStderr: () => new OutputStream(stderr) },
    'wasi:cli/terminal-input': { TerminalInput: Nothing },
    'wasi:cli/terminal-output': { TerminalOutput: Nothing },
    'wasi:cli/terminal-stdin': { getTerminalStdin: none },
    'wasi:cli/terminal-stdout': { getTerminalStdout: none },
    'wasi:cli/terminal-stderr': { getTerminalStderr: none },
    'wasi:filesystem/preopens': { getDirectories: () => [] },
    'wasi:filesystem/types': { Descriptor: Nothing, DirectoryEntryStream: Nothing, filesystemErrorCode: none },
  }
}
