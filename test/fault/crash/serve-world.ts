// The real thing: `hearth serve` with its own private Redis and js functions. Slower to start than the light world, and
// leases last as long as they do for users.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { systemClock } from '#core/clock'
import { ask } from '#store/server/ask'
import { openStore } from '#store/open'
import { eventually, type RunningHearth, startHearth } from '#test/e2e/hearth'
import { deployJs } from '#test/e2e/functions'
import { tempDir } from '#test/temp-dir'

import { redisVictim } from './redis-victim.ts'
import { type Effect, FUNCTIONS, type Victim, type World } from './world.ts'

const REDIS_BACK_MS = 60_000

export async function openServeWorld(): Promise<World> {
  await using opening = new AsyncDisposableStack()
  const dir = opening.use(await tempDir())
  const receiver = opening.use(await startReceiver())
  // Short: the socket of its Redis is in there (store/server/owner.ts).
  const dataDir = join(dir.path, 'd')
  const start = (): Promise<RunningHearth> =>
    startHearth({
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
      HEARTH_DATA_DIR: dataDir,
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    })
  let hearth = await start()
  opening.defer(async () => hearth[Symbol.asyncDispose]())
  const redisUrl = `unix://${join(dataDir, 'redis', 'redis.sock')}`
  const store = opening.use(await openStore({ url: redisUrl }))
  await deployAll(hearth, receiver.url)
  const serve: Victim = {
    name: 'serve',
    async kill() {
      hearth.kill('SIGKILL')
      await hearth.exited
    },
    async revive() {
      hearth = await start()
    },
  }
  const redis = privateRedis(join(dataDir, 'redis'), redisUrl)
  const opened = opening.move()
  return {
    name: 'hearth serve',
    victims: new Map<string, Victim>([serve, redis].map((each) => [each.name, each])),
    store,
    redisUrl,
    losses: redis.losses,
    mayLose: true,
    url: () => hearth.url,
    token: hearth.token,
    deaths: new Map(),
    hasIds: false,
    effects: async () => receiver.effects,
    log: () => hearth.log(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Hearth starts it again by itself. */
function privateRedis(dir: string, url: string): ReturnType<typeof redisVictim> {
  const socketPath = url.replace(/^unix:\/\//, '')
  return redisVictim({
    url,
    async kill() {
      const pid = Number(await readFile(join(dir, 'redis.pid'), 'utf8'))
      process.kill(pid, 'SIGKILL')
      // Its socket stays, and nobody answers there.
      await eventually(
        () => ask(socketPath, 'PING'),
        (answer) => answer !== 'PONG',
      )
    },
    async revive() {
      await eventually(
        () => ask(socketPath, 'PING'),
        (answer) => answer === 'PONG',
        REDIS_BACK_MS,
      )
    },
  })
}

interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly effects: readonly Effect[]
}

/** Hears from the functions that they run, and answers how often this tag has: no kill reaches it. */
async function startReceiver(): Promise<Receiver> {
  const effects: Effect[] = []
  const server = createServer((req, res) => {
    const { searchParams, pathname } = new URL(req.url ?? '/', 'http://receiver')
    const [tag, name] = [searchParams.get('tag') ?? '', searchParams.get('function') ?? '']
    effects.push({ kind: pathname === '/end' ? 'end' : 'start', function: name, tag, at: systemClock.now() })
    res.end(String(effects.filter((each) => each.tag === tag && each.kind === 'start').length))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    effects,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** As perform() in process.ts. */
function codeOf(name: string, receiver: string): string {
  return `export default {
    async fetch(request) {
      const query = new URL(request.url).searchParams
      const tag = query.get('tag') ?? 'told:' + (await request.json()).invocation
      const tell = async (what) => (await fetch(\`${receiver}/\${what}?function=${name}&tag=\${tag}\`)).text()
      const run = Number(await tell('start'))
      await new Promise((resolve) => setTimeout(resolve, Number(query.get('ms'))))
      await tell('end')
      if (run <= Number(query.get('fails'))) throw new Error('it was to fail')
      return new Response(tag)
    },
  }`
}

async function deployAll(hearth: RunningHearth, receiver: string): Promise<void> {
  for (const [name, spec] of Object.entries(FUNCTIONS)) {
    const query = new URLSearchParams({ egress: '127.0.0.1', concurrency: '16' })
    for (const [field, value] of Object.entries(spec)) query.set(field, String(value))
    const response = await deployJs(hearth, name, codeOf(name, receiver), `?${query.toString()}`)
    if (response.status !== 201) throw new Error(`${name} was not deployed: ${await response.text()}`)
  }
}
