// What a warm sandbox of each runtime holds, and so how many fit into a GiB. Started through the platform, by
// minSandboxes, and then called by a crowd.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { pidsWithLabel } from '../docker.ts'
import { BENCH_FUNCTIONS, type BenchFunction, deployAll } from '../functions.ts'
import { callAll } from '../load.ts'
import type { Platform } from '../platform.ts'
import { parentOf, pssOf, treeOf } from '../process-tree.ts'
import { type BenchResult, summarize } from '../result.ts'

const SANDBOXES = 20
const GIB = 1024 ** 3
const MIB = 1024 ** 2
const SETTLE_MS = 2000
const LIMIT_MS = 120_000

/** @param platform without generic sandboxes, and with room for all */
export async function warmSandboxes(platform: Platform): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = []
  for (const each of BENCH_FUNCTIONS.filter(({ name }) => name !== 'js-warm')) {
    await platform.allScaledToZero()
    await sleep(SETTLE_MS)
    const before = await bytesOf(platform)
    if ((await startAll(platform, each)) === 0) continue
    await sleep(SETTLE_MS)
    const bytes = ((await bytesOf(platform)) - before) / SANDBOXES
    await platform.remove(each.name)
    results.push(
      summarize({ name: `density ${each.name}: memory of a warm sandbox`, unit: 'MiB' }, [bytes / MIB]),
      summarize({ name: `density ${each.name}: warm sandboxes`, unit: '/GiB' }, [GIB / bytes]),
    )
    console.error(`density: ${SANDBOXES} warm sandboxes of ${each.name}`)
  }
  return results
}

async function startAll(platform: Platform, of: BenchFunction): Promise<number> {
  const spec = { ...of.spec, concurrency: '1', maxSandboxes: String(SANDBOXES), minSandboxes: String(SANDBOXES) }
  const deployed = await deployAll(platform, spec, [of])
  if (deployed.length === 0) return 0
  const deadline = performance.now() + LIMIT_MS
  while (((await platform.view(of.name)).sandboxes.idle ?? 0) < SANDBOXES) {
    if (performance.now() > deadline)
      throw new Error(`${SANDBOXES} sandboxes of ${of.name} were expected within ${LIMIT_MS} ms`)
    await sleep(50)
  }
  const agent = new http.Agent({ keepAlive: true })
  await callAll(
    Array.from({ length: 4 * SANDBOXES }, () => `${platform.url}/fn/${of.name}`),
    agent,
  )
  agent.destroy()
  return SANDBOXES
}

/** Of the platform with all its processes, and of its containers with the daemon's process for each. */
async function bytesOf(platform: Platform): Promise<number> {
  const containers = await pidsWithLabel(platform.label).catch(() => [])
  const shims = await Promise.all(containers.map(parentOf))
  const inContainers = await Promise.all(containers.map(treeOf))
  const pids = new Set([...(await treeOf(platform.pid)), ...shims, ...inContainers.flat()])
  const sizes = await Promise.all([...pids].map(pssOf))
  return sizes.reduce((sum, size) => sum + size, 0)
}
