// An uploaded .wasm → an artifact: a component that exports wasi:http/incoming-handler, or a WASI preview-1 command.
import type { Artifact } from './assemble.ts'
import { assemble } from './assemble.ts'
import { binaryKind } from './binary.ts'
import { planOf } from './component-plan.ts'
import { coreImports } from './wasm-imports.ts'
import { Refusal, type BuildJob, type Report } from './job.ts'

const MAX_BYTES = 100 * 1024 * 1024
const HTTP_EXPORT = /^wasi:http\/incoming-handler@0\.2\.\d+$/
/** What the Wasm host implements; the file system is empty. */
const ALLOWED_IMPORTS = /^wasi:(?:http|io|clocks|random|cli|filesystem)\//

export async function buildUploadedWasm({ source, spec }: BuildJob, report: Report): Promise<Artifact> {
  const [path, bytes] = findModule(source)
  if (bytes.length > MAX_BYTES) {
    throw new Refusal({ message: `a module has at most ${MAX_BYTES} bytes: ${path} has ${bytes.length}` })
  }
  const kind = binaryKind(bytes)
  if (kind === 'other') {
    throw new Refusal({ message: `${path} is not WebAssembly: it begins with ${hexOf(bytes.subarray(0, 8))}` })
  }
  try {
    const { memoryMiB } = spec
    return kind === 'core' ? buildCommand(bytes, memoryMiB, report) : await buildComponent(bytes, memoryMiB, report)
  } catch (thrown) {
    if (thrown instanceof RangeError)
      throw new Refusal({ message: `${path} is not valid WebAssembly: ${thrown.message}` })
    throw thrown
  }
}

function findModule(source: BuildJob['source']): [string, Uint8Array] {
  const modules = [...source].filter(([path]) => path.endsWith('.wasm'))
  const found = modules.length === 1 ? modules[0] : modules.find(([path]) => path === 'main.wasm')
  if (found !== undefined) return found
  throw new Refusal({
    message: `expected one .wasm, or main.wasm: the upload has ${modules.length === 0 ? 'none' : modules.map(([path]) => path).join(', ')}`,
  })
}

async function buildComponent(bytes: Uint8Array, memoryMiB: number, report: Report): Promise<Artifact> {
  const { transpile } = await import('./transpile.ts')
  report('transpile', 'translating the component')
  const { glue, cores, imports, exports } = await transpile(bytes).catch((thrown: unknown) => {
    throw new Refusal({
      message: `the component cannot be translated: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    })
  })
  report('check', 'checking imports, exports and limits')
  const refused = imports.filter((name) => !ALLOWED_IMPORTS.test(name))
  if (refused.length > 0)
    throw new Refusal({ message: refusedImports(refused, 'wasi:http, io, clocks, random, cli and filesystem of 0.2') })
  const name = exports.find((one) => HTTP_EXPORT.test(one))
  if (name === undefined) {
    throw new Refusal({
      message: `a component must export wasi:http/incoming-handler@0.2.x: this one exports ${exports.join(', ') || 'nothing'}`,
    })
  }
  return assemble({
    manifest: { world: 'wasi-http', engine: 'none', resettable: false, async: true, export: name },
    ...(planOf(bytes) ?? { glue, cores }),
    memoryMiB,
  })
}

function buildCommand(bytes: Uint8Array, memoryMiB: number, report: Report): Artifact {
  report('check', 'checking imports, exports and limits')
  const { modules, exports } = coreImports(bytes)
  const refused = modules.filter((name) => name !== 'wasi_snapshot_preview1')
  if (refused.length > 0) throw new Refusal({ message: refusedImports(refused, 'wasi_snapshot_preview1') })
  for (const needed of ['_start', 'memory']) {
    if (!exports.includes(needed)) {
      throw new Refusal({
        message: `a core module must be a WASI preview-1 command that exports _start and memory: this one exports ${exports.join(', ') || 'nothing'}`,
      })
    }
  }
  return assemble({
    manifest: { world: 'command', engine: 'none', resettable: false, async: false, export: '_start' },
    cores: new Map([['main', bytes]]),
    memoryMiB,
  })
}

function refusedImports(names: readonly string[], allowed: string): string {
  return `only ${allowed} can be imported: this one imports ${[...new Set(names)].join(', ')}`
}

function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'nothing' : [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
}
