// Runs the commands of the README against an instance, word for word but for address and data directory.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { fencedBlocks } from '#test/repo/docs'
import { ROOT_DIR, textOf } from '#test/repo/sources'

import { bareEnvironment, type RunningHearth } from './hearth.ts'

/** The blocks of a page that are marked as in ```sh run. */
export function runnableBlocks(page: string, info: string): readonly string[] {
  return fencedBlocks(textOf(page))
    .filter((block) => block.info === info)
    .map(({ text }) => text)
}

/** @returns standard output; rejects with everything that was written when a command fails */
export async function runBlock(block: string, hearth: RunningHearth): Promise<string> {
  const script = block
    .replaceAll('127.0.0.1:8787', new URL(hearth.url).host)
    .replaceAll('.hearth/', `${hearth.ready.dataDir}/`)
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: ROOT_DIR,
    env: { ...bareEnvironment(), ...hearth.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(shell, 'close')
  const [stdout, stderr] = await Promise.all([shell.stdout.toArray(), shell.stderr.toArray()])
  await closed
  const output = Buffer.concat(stdout).toString()
  if (shell.exitCode === 0) return output
  throw new Error(`exit code ${shell.exitCode}\n${script}\n${output}\n${Buffer.concat(stderr).toString()}`)
}
