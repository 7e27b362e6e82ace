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
}

/** Paths of what is made of the apps before anything is measured. */
export interface Builds {
  readonly helloJs: string
  readonly honoJs: string
  /** Exports wasi:http/incoming-handler, made by componentize-js (StarlingMonkey). */
  readonly helloComponent: string
  /** A folder for generated configuration. */
  readonly dir: string
}

const NODE = process.execPath
const SERVERS = join(import.meta.dirname, 'servers')
const BIN = join(import.meta.dirname, 'node_modules/.bin')
const NONE = 'none'
const ISOLATE = 'V8 isolate, one process'

function jcoServe(component: string, port: number, isolate: readonly string[]): readonly string[] {
  return [NODE, join(BIN, 'jco'), 'serve', component, '--host', '127.0.0.1', '--port', String(port), ...isolate]
}

export const PEERS: readonly Peer[] = [
  {
    name: 'node:http',
    app: 'hello',
    isolation: NONE,
    command: (port) => [NODE, join(import.meta.dirname, '../baselines/node-http.mjs'), String(port)],
  },
  { name: 'fastify', app: 'hello', isolation: NONE, command: (port) => [NODE, join(SERVERS, 'fastify.mjs'), String(port)] },
  {
    name: 'functions-framework',
    app: 'hello',
    isolation: NONE,
    command: (port) => [NODE, join(BIN, 'functions-framework'), '--target=hello', `--port=${port}`],
    cwd: join(SERVERS, 'functions-framework'),
  },
  {
    name: 'serverless-offline',
    app: 'hello',
    isolation: 'worker thread',
    command: (port) => [NODE, join(BIN, 'serverless'), 'offline', '--noPrependStageInUrl', '--httpPort', String(port), '--lambdaPort', String(port + 1000)],
    cwd: join(SERVERS, 'serverless'),
  },
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
  {
    name: 'jco serve, reuse',
    app: 'hello',
    isolation: 'Wasm, instance shared by calls',
    command: (port, builds) => jcoServe(builds.helloComponent, port, []),
  },
  {
    name: 'jco serve, isolate=instance',
    app: 'hello',
    isolation: 'Wasm, instance per call',
    command: (port, builds) => jcoServe(builds.helloComponent, port, ['--isolate-requests', 'instance']),
  },
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
]
