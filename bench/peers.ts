// `npm run bench:peers`: the same two apps on Hearth and on what else can be installed, one at a time, in rounds.
import { readFile } from 'node:fs/promises'

import pc from 'picocolors'

import { optionsOf } from './command.ts'
import { findLoader, latencies, type Loader, throughput } from './load.ts'
import { PEERS_USAGE, readPeerOptions } from './options.ts'
import { type Builds, type Peer, PEERS } from './peers/catalogue.ts'
import { prepare } from './peers/prepare.ts'
import { startPeer } from './peers/process.ts'
import { Platform } from './platform.ts'
import { type BenchResult, printTable, summarize, writeJson } from './result.ts'

const PORT = 9400
const CONNECTIONS = 32
const LATENCY_CALLS = 1000
const BASELINES = { hello: 'node:http', hono: 'node:http + hono' } as const

interface Row {
  readonly name: string
  readonly app: Peer['app']
  readonly isolation: string
  readonly rates: number[]
  readonly p50s: number[]
  /** Starts it, measures it, ends it. */
  readonly round: (measure: (url: string) => Promise<void>) => Promise<void>
}

const HEARTH_FUNCTIONS = [
  { runtime: 'node', driver: 'docker', isolation: 'container, shared by calls', spec: { concurrency: '64' } },
  {
    runtime: 'js',
    driver: 'wasm',
    isolation: 'Wasm, memory restored per call',
    spec: { instances: 'reset', concurrency: '16' },
  },
  {
    runtime: 'js',
    driver: 'wasm',
    isolation: 'Wasm, instance shared by calls',
    spec: { instances: 'warm', concurrency: '16' },
  },
] as const

async function main(options: ReturnType<typeof readPeerOptions>): Promise<void> {
  await using builds = await prepare()
  await using platform = await Platform.start()
  const loader = await findLoader()
  const rows = [
    ...PEERS.map((peer, index) => peerRow(peer, builds, PORT + index)),
    ...(await hearthRows(platform, builds)),
  ]
  console.error(
    `peers: ${rows.length} servers, ${options.runs} rounds, ${CONNECTIONS} connections by ${loader}, ${options.seconds} s each`,
  )
  for (let round = 0; round < options.runs; round++) {
    for (const row of rows) await row.round((url) => measure(row, url, loader, options.seconds))
    console.error(`peers: round ${round + 1} of ${options.runs}`)
  }
  const results = rows.flatMap((row) => summarizeRow(row, rows))
  printTable(results)
  if (options.json !== undefined) await writeJson(options.json, results)
}

async function measure(row: Row, url: string, loader: Loader, seconds: number): Promise<void> {
  await throughput(loader, url, CONNECTIONS, 1)
  row.rates.push(await throughput(loader, url, CONNECTIONS, seconds))
  row.p50s.push((await latencies(url, LATENCY_CALLS)).p50Us)
}

function peerRow(peer: Peer, builds: Builds, port: number): Row {
  const url = `http://127.0.0.1:${port}/`
  return {
    ...peer,
    rates: [],
    p50s: [],
    async round(measured) {
      await using _peer = await startPeer(peer.command(port, builds), peer.cwd ?? builds.dir, url)
      await measured(url)
    },
  }
}

async function hearthRows(platform: Platform, builds: Builds): Promise<Row[]> {
  const drivers = await platform.drivers()
  const rows: Row[] = []
  for (const app of ['hello', 'hono'] as const) {
    const code = await readFile(app === 'hello' ? builds.helloJs : builds.honoJs)
    for (const { runtime, isolation, spec } of HEARTH_FUNCTIONS.filter((each) => drivers.includes(each.driver))) {
      const name = ['instances' in spec ? spec.instances : 'node', app].join('-')
      await platform.deploy(name, 'text/javascript', code, { runtime, ...spec })
      const url = `${platform.url}/fn/${name}`
      rows.push({ name: `hearth ${runtime}`, app, isolation, rates: [], p50s: [], round: (measured) => measured(url) })
    }
  }
  if (rows.length < 6) console.error(pc.yellow('peers: docker is off, so the container rows are left out'))
  return rows
}

function summarizeRow(row: Row, rows: readonly Row[]): readonly BenchResult[] {
  const baseline = rows.find((each) => each.name === BASELINES[row.app])
  const name = `${row.app}: ${row.name} [${row.isolation}]`
  return [
    summarize({ name: `${name} throughput`, unit: 'req/s' }, row.rates, baseline?.rates),
    summarize({ name: `${name} p50`, unit: 'µs' }, row.p50s, baseline?.p50s),
  ]
}

await main(optionsOf(readPeerOptions, PEERS_USAGE))
