// Runs other programs to their end, and finds them. Starts nothing that stays.
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

export interface RunOptions {
  readonly signal: AbortSignal
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Returns what it wrote to stdout. Rejects with what it wrote to stderr when it fails. */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { signal, cwd, env = {} } = options
  // C: messages that are read here must not be translated.
  const settings = { signal, cwd, env: { ...process.env, LC_ALL: 'C', ...env }, maxBuffer: 16 * 1024 * 1024 }
  return new Promise((resolve, reject) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      if (signal.aborted) return reject(signal.reason)
      reject(new Error(lastLine(stderr) || error.message, { cause: error }))
    })
  })
}

/** The full path of the first of the programs that is on the PATH. */
export async function findOnPath(programs: readonly string[]): Promise<string | undefined> {
  const dirs = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '')
  for (const path of programs.flatMap((program) => dirs.map((dir) => join(dir, program)))) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return undefined
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
