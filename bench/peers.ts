// `npm run bench:peers`: the same two apps on Hearth and on what else can be installed, one at a time, in rounds.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

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
const SLOW_SECONDS = 15
const BASELINES = { hello: 'node:http', hono: 'node:http + hono' } as const

interface Row {
  readonly name: string
  readonly app: Peer['app']
  readonly isolation: string
  readonly rates: number[]
  readonly p50s: number[]
  readonly p99s: number[]
  /** Starts it, measures it, ends it. */
  readonly round: (measure: (url: string) => Promise<void>) => Promise<void>
}

interface HearthFunction {
  readonly row: string
  readonly driver: 'docker' | 'wasm'
  readonly isolation: string
  readonly type: string
  readonly spec: Readonly<Record<string, string>>
  /** Absent: the app's. */
  readonly componentPath?: string
}

const JAVASCRIPT = 'text/javascript'
const HEARTH_FUNCTIONS: readonly HearthFunction[] = [
  {
    row: 'hearth node',
    driver: 'docker',
    isolation: 'container, shared by calls',
    type: JAVASCRIPT,
    spec: { runtime: 'node', concurrency: '64' },
  },
  {
    row: 'hearth js reset',
    driver: 'wasm',
    isolation: 'Wasm, memory restored per call',
    type: JAVASCRIPT,
    spec: { runtime: 'js', instances: 'reset', concurrency: '16' },
  },
  {
    row: 'hearth js warm',
    driver: 'wasm',
    isolation: 'Wasm, instance shared by calls',
    type: JAVASCRIPT,
    spec: { runtime: 'js', instances: 'warm', concurrency: '16' },
  },
  {
    row: 'hearth wasm',
    driver: 'wasm',
    isolation: 'Wasm, instance per call',
    type: 'application/wasm',
    spec: { runtime: 'wasm', concurrency: '16' },
    componentPath: join(import.meta.dirname, '../functions/hello-wasm/main.wasm'),
  },
]

/** Throughputs of the hello app, divided. */
const GOALS = [
  { of: 'hearth node', by: 'node:http', least: 0.6 },
  { of: 'hearth node', by: 'workerd', least: 2 },
  { of: 'hearth js reset', by: 'jco serve, isolate=instance', least: 50 },
  { of: 'hearth js reset', by: 'jco serve, reuse', least: 3 },
  { of: 'hearth js reset', by: 'node:http', least: 0.13 },
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
  const results = [...rows.flatMap((row) => summarizeRow(row, rows)), ...goals(rows)]
  printTable(results)
  if (options.json !== undefined) await writeJson(options.json, results)
}

async function measure(row: Row, url: string, loader: Loader, seconds: number): Promise<void> {
  await throughput(loader, url, CONNECTIONS, 1)
  const rate = await throughput(loader, url, CONNECTIONS, seconds)
  // The slowest ones may have answered nobody yet.
  row.rates.push(rate > 0 ? rate : await throughput(loader, url, CONNECTIONS, SLOW_SECONDS))
  const { p50Us, p99Us } = await latencies(url, LATENCY_CALLS)
  row.p50s.push(p50Us)
  row.p99s.push(p99Us)
}

function peerRow(peer: Peer, builds: Builds, port: number): Row {
  const url = `http://127.0.0.1:${port}/`
  return {
    ...peer,
    ...noFigures(),
    async round(measured) {
      const launch = { command: peer.command(port, builds), cwd: peer.cwd ?? builds.dir, env: peer.env?.(builds) ?? {} }
      await using _peer = await startPeer(launch, url)
      await measured(url)
    },
  }
}

async function hearthRows(platform: Platform, builds: Builds): Promise<Row[]> {
  const drivers = await platform.drivers()
  if (!drivers.includes('docker')) console.error(pc.yellow('peers: docker is off, so the container rows are left out'))
  const rows: Row[] = []
  for (const app of ['hello', 'hono'] as const) {
    for (const { row, driver, isolation, type, spec, componentPath } of HEARTH_FUNCTIONS) {
      if (!drivers.includes(driver) || (app === 'hono' && componentPath !== undefined)) continue
      const code = await readFile(componentPath ?? (app === 'hello' ? builds.helloJs : builds.honoJs))
      const name = `${row}-${app}`.replaceAll(' ', '-')
      await platform.deploy(name, type, code, spec)
      const url = `${platform.url}/fn/${name}`
      rows.push({ name: row, app, isolation, ...noFigures(), round: (measured) => measured(url) })
    }
  }
  return rows
}

function noFigures(): Pick<Row, 'rates' | 'p50s' | 'p99s'> {
  return { rates: [], p50s: [], p99s: [] }
}

function summarizeRow(row: Row, rows: readonly Row[]): readonly BenchResult[] {
  const baseline = rows.find((each) => each.name === BASELINES[row.app])
  const name = `${row.app}: ${row.name} [${row.isolation}]`
  return [
    summarize({ name: `${name} throughput`, unit: 'req/s' }, row.rates, baseline?.rates),
    summarize({ name: `${name} p50`, unit: 'µs' }, row.p50s, baseline?.p50s),
    summarize({ name: `${name} p99`, unit: 'µs' }, row.p99s, baseline?.p99s),
  ]
}

function goals(rows: readonly Row[]): readonly BenchResult[] {
  const hello = (name: string): Row | undefined => rows.find((row) => row.app === 'hello' && row.name === name)
  return GOALS.flatMap(({ of, by, least }) => {
    const [ours, theirs] = [hello(of), hello(by)]
    if (ours === undefined || theirs === undefined) return []
    return [
      summarize({ name: `hello: ${of} / ${by}`, unit: 'req/s', aim: { of: 'ratio', least } }, ours.rates, theirs.rates),
    ]
  })
}

await main(optionsOf(readPeerOptions, PEERS_USAGE))
