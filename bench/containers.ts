// `node bench/containers.ts [--runs N] [--only TEXT] [--json FILE]`: what a waiting container needs to become a function,
// what one that idles costs, and what a process for each call. Drives the docker driver directly: no gateway, no pool. The last rung of the idle ladder
// is there when the machine has swap.
import { parseArgs } from 'node:util'

import { cgroupMemory, openDocker, pidOf } from './docker.ts'
import { printTable, writeJson } from './result.ts'
import { fork } from './suites/fork.ts'
import { idle } from './suites/idle.ts'
import { specialize } from './suites/specialize.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})

await using docker = await openDocker()
if (docker === undefined) process.exit(1)
const { driver } = docker
console.error(driver.detail)
const results = await specialize(driver, Number(values.runs), values.only)
if ('idle'.includes(values.only))
  results.push(...(await idle(driver, async (sandbox) => cgroupMemory(await pidOf(sandbox)))))
if ('fork'.includes(values.only)) results.push(...(await fork(driver, Number(values.runs))))
printTable(results)
if (values.json !== undefined) await writeJson(values.json, results)
