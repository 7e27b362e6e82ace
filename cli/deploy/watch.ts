// Runs a deploy again whenever something below a path changes.
import { watch as watchFiles } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { stat } from 'node:fs/promises'

import { sleep } from '#core/clock'

import { CliError, EXIT, type ExitCode } from '../exit.ts'
import { printError } from '../output.ts'
import type { Terminal } from '../terminal.ts'

/** Editors write in bursts: a deploy starts when nothing changed for this long. */
const QUIET_MS = 150
const NOT_CODE = /(?:^|\/)(?:node_modules|\.git)(?:\/|$)|~$|\.sw[px]$/

/** Until Ctrl-C. A deploy that fails is shown and the next change tries again. */
export async function watch(path: string, terminal: Terminal, deploy: () => Promise<ExitCode>): Promise<ExitCode> {
  const full = resolve(path)
  const dir = (await stat(full)).isDirectory() ? full : dirname(full)
  let changed = true
  const changes = (async () => {
    for await (const { filename } of watchFiles(dir, { recursive: true, signal: terminal.signal })) {
      if (filename === null || !NOT_CODE.test(filename)) changed = true
    }
  })()
  // It ends with the signal's reason; what ends the loop below is the signal itself.
  changes.catch(() => {})
  while (!terminal.signal.aborted) {
    if (changed) {
      changed = false
      await tryDeploy(terminal, deploy)
      terminal.err(`watching ${dir}; Ctrl-C ends\n`)
    }
    await sleep(QUIET_MS, terminal.signal).catch(() => {})
  }
  return EXIT.ok
}

async function tryDeploy(terminal: Terminal, deploy: () => Promise<ExitCode>): Promise<void> {
  try {
    await deploy()
  } catch (error) {
    if (terminal.signal.aborted) return
    if (!(error instanceof CliError)) throw error
    printError(terminal, error)
  }
}
