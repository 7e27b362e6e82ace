// `node bench/containers.ts`: what a waiting container needs to become a function, and what one that idles costs. Drives
// the docker driver directly: no gateway, no pool.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { createDockerDriver } from '#invoker/sandbox/docker/driver'
import type { SandboxDriver } from '#invoker/sandbox/driver'

import { type BenchResult, printTable, writeJson } from './result.ts'
import { specialize } from './suites/specialize.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})

async function main(driver: SandboxDriver): Promise<readonly BenchResult[]> {
  return specialize(driver, Number(values.runs), values.only)
}

const runtimeDir = await mkdtemp(join(tmpdir(), 'hearth-bc-'))
const dockerHost = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'
const opened = await createDockerDriver({
  dockerHost,
  runtimeDir,
  installation: `bench-${process.pid}`,
  onProgress: ({ message }) => console.error(message),
})
if (!opened.on) throw new Error(opened.reason)
try {
  await using driver = opened.driver
  console.error(driver.detail)
  const results = await main(driver)
  printTable(results)
  if (values.json !== undefined) await writeJson(values.json, results)
} finally {
  await rm(runtimeDir, { recursive: true })
}
