// WASI 0.2 for guests of the Wasm host, in small files: what a guest gets is what is listed here. There are no files,
// no sockets and no environment but the function's own. Names are without versions: that is how jco asks for them.
import type { Egress } from '../host/guest.ts'
import { cliImports } from './cli.ts'
import { clockImports } from './clocks.ts'
import { httpImports } from './http.ts'
import { InputStream, IoError, OutputStream, Pollable, poll } from './io.ts'
import { createLineWriter } from './lines.ts'
import { randomImports } from './random.ts'
import { Waits } from './waits.ts'

export interface WasiOptions {
  readonly env: Readonly<Record<string, string>>
  /** Takes what the guest prints, line by line. */
  readonly log: (stream: 'stdout' | 'stderr', text: string) => void
  readonly egress: Egress
}

export interface Wasi {
  readonly imports: Record<string, object>
  /** Logs what the guest printed without ending the line. */
  endLines(): void
  readonly waits: Waits
}

export function createWasi({ env, log, egress }: WasiOptions): Wasi {
  const waits = new Waits()
  const stdout = createLineWriter((text) => log('stdout', text))
  const stderr = createLineWriter((text) => log('stderr', text))
  return {
    waits,
    imports: {
      ...cliImports(env, {
        stdout: stdout.write,
        stderr: stderr.write,
      }),
      ...clockImports(waits),
      ...randomImports(),
      ...httpImports({ egress, waits }),
      'wasi:io/error': { Error: IoError },
      'wasi:io/poll': { Pollable, poll },
      'wasi:io/streams': { InputStream, OutputStream },
    },
    endLines() {
      stdout.end()
      stderr.end()
    },
  }
}
