// `node bench/containers.ts [--runs N] [--only TEXT] [--json FILE]`: what a waiting container needs to become a function,
// what one that idles costs, and what a process for each call. Drives the docker driver directly: no gateway, no pool. The last rung of the idle ladder
// is there when the machine has swap.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'

import { createDockerDriver } from '#invoker/sandbox/docker/driver'
import type { Sandbox } from '#invoker/sandbox/driver'

import { printTable, writeJson } from './result.ts'
import { fork } from './suites/fork.ts'
import { cgroupMemory, idle } from './suites/idle.ts'
import { specialize } from './suites/specialize.ts'

const run = promisify(execFile)

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})

const runtimeDir = await mkdtemp(join(tmpdir(), 'hearth-bc-'))
const opened = await createDockerDriver({
  dockerHost: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock',
  runtimeDir,
  installation: `bench-${process.pid}`,
  onProgress: ({ message }) => console.error(message),
})
if (!opened.on) throw new Error(opened.reason)
try {
  await using driver = opened.driver
  console.error(driver.detail)
  const results = await specialize(driver, Number(values.runs), values.only)
  if ('idle'.includes(values.only)) results.push(...(await idle(driver, memoryOf)))
  if ('fork'.includes(values.only)) results.push(...(await fork(driver, Number(values.runs))))
  printTable(results)
  if (values.json !== undefined) await writeJson(values.json, results)
} finally {
  await rm(runtimeDir, { recursive: true })
}

async function memoryOf(sandbox: Sandbox): Promise<number> {
  const { stdout } = await run('docker', ['inspect', '-f', '{{.State.Pid}}', `hearth-${sandbox.id}`])
  return cgroupMemory(Number(stdout))
}
