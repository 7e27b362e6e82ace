// node:http in a process of its own, on the Node that Hearth runs on: what starts are compared with.
import { spawn } from 'node:child_process'
import http from 'node:http'
import { join } from 'node:path'

import { get } from './load.ts'

export interface Plain extends AsyncDisposable {
  readonly url: string
}

/** Resolves when it listens. */
export async function startPlain(): Promise<Plain> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'baselines/node-http.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the node:http baseline ended with exit code ${code}`)))
  })
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      child.removeAllListeners('exit')
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await ended
    },
  }
}

/** A cold start without a platform. @returns ms from the start of the process to its first whole answer */
export async function plainFirstAnswer(): Promise<number> {
  const began = performance.now()
  await using plain = await startPlain()
  await get(plain.url, new http.Agent())
  return performance.now() - began
}

/** As many at the same time. @returns ms until the last one has answered */
export async function plainBurst(count: number): Promise<number> {
  await using running = new AsyncDisposableStack()
  const began = performance.now()
  const starts = Array.from({ length: count }, async () => {
    const plain = running.use(await startPlain())
    await get(plain.url, new http.Agent())
  })
  await Promise.all(starts)
  return performance.now() - began
}
