// The command line against a gateway on parts in memory.
import { runCli } from '#cli/main'
import { recordedTerminal } from '#test/cli/terminal'
import { startGateway, TOKEN, type Started } from '#test/gateway/start'
import { tempDir } from '#test/temp-dir'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface OnGateway extends AsyncDisposable {
  readonly gateway: Started
  run(...argv: readonly string[]): Promise<Ran>
  /** With this on standard input. */
  pipe(input: string, ...argv: readonly string[]): Promise<Ran>
  /** Until `signal` aborts; what is written comes to `onOut`. */
  follow(onOut: (text: string) => void, signal: AbortSignal, ...argv: readonly string[]): Promise<number>
}

export async function startOnGateway(): Promise<OnGateway> {
  const dir = await tempDir()
  const gateway = await startGateway()
  const env = { HEARTH_DATA_DIR: dir.path, HEARTH_URL: gateway.url, HEARTH_ADMIN_TOKEN: TOKEN }
  const pipe = async (input: string, ...argv: readonly string[]): Promise<Ran> => {
    const terminal = recordedTerminal({ env, input })
    const code = await runCli(argv, terminal)
    return { code, out: terminal.stdout(), err: terminal.stderr() }
  }
  return {
    gateway,
    pipe,
    run: (...argv) => pipe('', ...argv),
    follow(onOut, signal, ...argv) {
      const terminal = recordedTerminal({ env, signal })
      return runCli(argv, { ...terminal, out: (data) => onOut(Buffer.from(data as Uint8Array).toString()) })
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}
