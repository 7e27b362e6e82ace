// The peers, how each is started, and what separates one function from another in it. The column is there so that
// nobody takes a server without isolation for a platform.
import { join } from 'node:path'

export interface Peer {
  readonly name: string
  readonly app: 'hello' | 'hono'
  readonly isolation: string
  /** Program and arguments, run in `cwd`. */
  readonly command: (port: number, builds: Builds) => readonly string[]
  readonly cwd?: string
  /** Beside the environment of the benchmark. */
  readonly env?: (builds: Builds) => Readonly<Record<string, string>>
}

/** Paths of what is made of the apps before anything is measured. */
export interface Builds {
  readonly helloJs: string
  readonly honoJs: string
  /** They export wasi:http/incoming-handler, made by componentize-js (StarlingMonkey). */
  readonly helloComponent: string
  readonly honoComponent: string
  /** A folder for generated configuration. */
  readonly dir: string
}

const NODE = process.execPath
const SERVERS = join(import.meta.dirname, 'servers')
const BIN = join(import.meta.dirname, 'node_modules/.bin')
const NONE = 'none'
const ISOLATE = 'V8 isolate, one process'

type App = Peer['app']

function functionsFramework(app: App): Peer {
  return {
    name: 'functions-framework',
    app,
    isolation: NONE,
    command: (port) => [NODE, join(BIN, 'functions-framework'), `--target=${app}`, `--port=${port}`],
    cwd: join(SERVERS, 'functions-framework'),
    env: (builds) => (app === 'hono' ? { HONO_APP: builds.honoJs } : {}),
  }
}

function serverlessOffline(app: App, folder: string): Peer {
  return {
    name: 'serverless-offline',
    app,
    isolation: 'worker thread',
    command: (port) => [NODE, join(BIN, 'serverless'), 'offline', '--noPrependStageInUrl', '--httpPort', String(port), '--lambdaPort', String(port + 1000)],
    cwd: join(SERVERS, folder),
    env: (builds) => (app === 'hono' ? { HONO_APP: builds.honoJs } : {}),
  }
}

function jcoServe(app: App, kept: 'reuse' | 'isolate=instance'): Peer {
  const isolate = kept === 'reuse' ? [] : ['--isolate-requests', 'instance']
  const component = (builds: Builds): string => (app === 'hello' ? builds.helloComponent : builds.honoComponent)
  return {
    name: `jco serve, ${kept}`,
    app,
    isolation: kept === 'reuse' ? 'Wasm, instance shared by calls' : 'Wasm, instance per call',
    command: (port, builds) => [NODE, join(BIN, 'jco'), 'serve', component(builds), '--host', '127.0.0.1', '--port', String(port), ...isolate],
  }
}

export const PEERS: readonly Peer[] = [
  {
    name: 'node:http',
    app: 'hello',
    isolation: NONE,
    command: (port) => [NODE, join(import.meta.dirname, '../baselines/node-http.mjs'), String(port)],
  },
  { name: 'fastify', app: 'hello', isolation: NONE, command: (port) => [NODE, join(SERVERS, 'fastify.mjs'), String(port)] },
  functionsFramework('hello'),
  serverlessOffline('hello', 'serverless'),
  {
    name: 'workerd',
    app: 'hello',
    isolation: ISOLATE,
    command: (port, builds) => [join(BIN, 'workerd'), 'serve', join(builds.dir, 'hello.capnp'), '--socket-addr', `http=127.0.0.1:${port}`],
  },
  {
    name: 'miniflare',
    app: 'hello',
    isolation: ISOLATE,
    command: (port, builds) => [NODE, join(SERVERS, 'miniflare.mjs'), String(port), builds.helloJs],
  },
  jcoServe('hello', 'reuse'),
  jcoServe('hello', 'isolate=instance'),
  {
    name: 'node:http + hono',
    app: 'hono',
    isolation: NONE,
    command: (port, builds) => [NODE, join(SERVERS, 'node-hono.mjs'), String(port), builds.honoJs],
  },
  {
    name: 'workerd',
    app: 'hono',
    isolation: ISOLATE,
    command: (port, builds) => [join(BIN, 'workerd'), 'serve', join(builds.dir, 'hono.capnp'), '--socket-addr', `http=127.0.0.1:${port}`],
  },
  {
    name: 'miniflare',
    app: 'hono',
    isolation: ISOLATE,
    command: (port, builds) => [NODE, join(SERVERS, 'miniflare.mjs'), String(port), builds.honoJs],
  },
  functionsFramework('hono'),
  serverlessOffline('hono', 'serverless-hono'),
  jcoServe('hono', 'reuse'),
  jcoServe('hono', 'isolate=instance'),
]
