// The layering rules of ARCHITECTURE.md as data, and what breaks them.
import type { Source } from './sources.ts'

/** Which layers a layer may import; a layer may always import itself. What runs in a sandbox imports nothing of ours. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  store: ['core'],
  gateway: ['core'],
  invoker: ['core'],
  runtimes: [],
  functions: [],
  cli: ['core', 'store', 'gateway', 'invoker', 'scripts'],
  scripts: ['store'],
  bench: ['core', 'store', 'gateway', 'invoker', 'cli', 'test'],
  test: ['core', 'store', 'gateway', 'invoker', 'cli', 'scripts', 'runtimes', 'bench'],
}

/** One vendor, one folder. Tests and benches may use what they check or compare with. */
const VENDORS: readonly (readonly [vendor: RegExp, folders: RegExp])[] = [
  [/^(?:ioredis|bullmq)$/, /^(?:store|gateway\/sources\/(?:bullmq|redis-stream)|gateway\/destinations)\//],
  [/^cloudevents$/, /^gateway\/cloud-events\//],
  [/^cron-parser$/, /^gateway\/sources\/schedule\//],
  [/^@nats-io\/.*$/, /^gateway\/sources\/nats\//],
  [/^amqplib$/, /^gateway\/sources\/amqp\//],
  [/^mqtt$/, /^gateway\/sources\/mqtt\//],
  [/^pg$/, /^gateway\/sources\/postgres\//],
  [/^dockerode$/, /^invoker\/sandbox\/docker\//],
  [/^(?:@bytecodealliance\/.*|componentize-qjs)$/, /^(?:invoker\/sandbox\/wasm\/build|runtimes\/js\/starlingmonkey)\//],
  [/^esbuild$/, /^invoker\/(?:sandbox\/wasm|build)\//],
  [/^(?:fastify|@fastify\/.*)$/, /^gateway\//],
  [/^prom-client$/, /^gateway\//],
  [/^(?:pino|pino-pretty|picocolors)$/, /^cli\//],
  [/^fflate$/, /^gateway\//],
  [/^tar-stream$/, /^(?:gateway|cli|invoker\/sandbox\/docker)\//],
]
const FREE = /^(?:test|bench|functions)\//

const IMPORT =
  /^\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm

export function importsOf({ text }: Source): readonly string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

/** One line for every import of a file that the rules do not allow. */
export function wrongImports(source: Source): readonly string[] {
  return importsOf(source).flatMap((specifier) => {
    const reason = reasonAgainst(source.path, specifier)
    return reason === undefined ? [] : [`${source.path} imports ${specifier}: ${reason}`]
  })
}

function reasonAgainst(path: string, specifier: string): string | undefined {
  const layer = path.split('/')[0] ?? ''
  const target = targetLayer(path, specifier)
  if (target !== undefined) {
    const allowed = LAYERS[layer]
    if (target === layer || allowed === undefined || !Object.hasOwn(LAYERS, target)) return undefined
    if (!allowed.includes(target)) return `${layer} may import ${allowed.join(', ') || 'nothing of ours'}`
    return specifier.startsWith('.') && !`${path} ${specifier}`.includes('.mjs')
      ? `across layers it is #${target}/…`
      : undefined
  }
  if (specifier.startsWith('node:') || FREE.test(path)) return undefined
  const vendor = VENDORS.find(([name]) => name.test(packageOf(specifier)))
  if (vendor === undefined) return undefined
  return vendor[1].test(path) ? undefined : `this vendor belongs in ${vendor[1].source}`
}

/** The layer of ours that a specifier means; undefined for a package. */
function targetLayer(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0]
  if (!specifier.startsWith('.')) return undefined
  return new URL(specifier, `file:///${path}`).pathname.split('/')[1]
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Packages that a file uses and that package.json does not list. */
export function unlistedPackages(source: Source, listed: ReadonlySet<string>): readonly string[] {
  return importsOf(source)
    .filter((specifier) => /^[@a-z]/.test(specifier) && !/^(?:node|wasi|hearth|local|env|data):/.test(specifier))
    .map(packageOf)
    .filter((name) => !listed.has(name))
    .map((name) => `${source.path} imports ${name}, which package.json does not list`)
}
