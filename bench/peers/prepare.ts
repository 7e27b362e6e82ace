// Installs the peers and builds the apps for them: once, before anything is measured.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { build } from 'esbuild'

import type { Builds } from './catalogue.ts'

const run = promisify(execFile)
const HERE = import.meta.dirname

export async function prepare(): Promise<Builds & AsyncDisposable> {
  // What npm writes last: an install that was cut short is done again.
  if (!existsSync(join(HERE, 'node_modules/.package-lock.json'))) {
    console.error('peers: installing them into bench/peers (about 1 GB, some minutes)')
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE })
  }
  const dir = await mkdtemp(join(tmpdir(), 'hearth-peers-'))
  const builds: Builds = {
    dir,
    helloJs: join(dir, 'hello.mjs'),
    honoJs: join(dir, 'hono.mjs'),
    helloComponent: join(dir, 'hello.wasm'),
    honoComponent: join(dir, 'hono.wasm'),
  }
  console.error('peers: building the apps')
  await bundle(join(HERE, 'apps/hello.js'), builds.helloJs)
  await bundle(join(HERE, 'apps/hono.ts'), builds.honoJs)
  await component('hello-wasi-http', builds.helloComponent, dir)
  await component('hono-wasi-http', builds.honoComponent, dir)
  for (const app of ['hello', 'hono']) await writeFile(join(dir, `${app}.capnp`), workerdConfig(`${app}.mjs`))
  return { ...builds, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

async function bundle(entry: string, outfile: string): Promise<void> {
  const target = { format: 'esm', platform: 'browser', target: 'es2022' } as const
  await build({ ...target, entryPoints: [entry], outfile, bundle: true, external: ['wasi:*'] })
}

async function component(app: string, output: string, dir: string): Promise<void> {
  const bundled = join(dir, `${app}.mjs`)
  await bundle(join(HERE, `apps/${app}.js`), bundled)
  await run(process.execPath, [join(HERE, 'build-component.mjs'), bundled, output])
}

function workerdConfig(module: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .app) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);
const app :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "${module}") ],
  compatibilityDate = "2026-01-01",
);
`
}
