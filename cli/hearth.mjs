#!/usr/bin/env node
// What `npx hearth` and an installed `hearth` run: hands over to cli/main.ts on the Node of this checkout. Must itself
// run on Node 20 without any dependency. Holds nothing of the command line.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { NODE_PATH, setup } from '../scripts/setup.mjs'

const argv = [fileURLToPath(new URL('main.ts', import.meta.url)), ...process.argv.slice(2)]

if (!(await setup({ dev: false }))) process.exit(1)
if (process.execve === undefined) runAsChild()
else process.execve(NODE_PATH, [NODE_PATH, ...argv], process.env)

/** Before Node 22.15 there is no execve: this process stays, passes signals on and ends as the child does. */
function runAsChild() {
  const child = spawn(NODE_PATH, argv, { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both; the child takes two signals within a second for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${NODE_PATH} cannot be run: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
