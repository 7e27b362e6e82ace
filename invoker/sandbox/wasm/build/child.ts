// The builder process: runs one job and ends. Started, limited and killed by builder-process.ts.
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { MANIFEST_PATH, type WasmManifest } from '../artifact.ts'
import { capCore } from './cap-core.ts'
import { Refusal, type BuildJob, type BuildMessage, type Report } from './job.ts'

process.once('message', (job: BuildJob) => {
  const report: Report = (step, message) => send({ kind: 'progress', progress: { step, message } })
  runJob(job, report).then(
    (artifact) => send({ kind: 'built', artifact }, () => process.exit(0)),
    (thrown: unknown) =>
      send(
        thrown instanceof Refusal
          ? { kind: 'refused', diagnostics: thrown.diagnostics }
          : { kind: 'broken', error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) },
        () => process.exit(1),
      ),
  )
})
// When the platform dies, nobody is left to kill a build that hangs: a signal to the own group ends esbuild too.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))

function send(message: BuildMessage, onSent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, onSent)
}

async function runJob(job: BuildJob, report: Report): Promise<Map<string, Uint8Array>> {
  const uploadDir = join(process.cwd(), 'upload')
  const emptyDir = join(process.cwd(), 'empty')
  await Promise.all([mkdir(uploadDir), mkdir(emptyDir)])
  // Imported as needed: each costs 30 to 80 ms, and a .wasm upload needs neither esbuild nor an engine.
  const { bundle } = await import('./bundle.ts')
  report('bundle', 'bundling with esbuild')
  const bundled = await bundle(job, uploadDir)
  const { componentizeQuickJs } = await import('./componentize.ts')
  report('componentize', 'running the top level in QuickJS and taking its snapshot')
  const component = await componentizeQuickJs(bundled, emptyDir)
  const { transpile } = await import('./transpile.ts')
  report('transpile', 'translating the component')
  const { glue, cores } = await transpile(component, 'jspi')
  return assemble(glue, cores, job.spec.memoryMiB, {
    format: 1,
    world: 'function',
    engine: 'quickjs',
    resettable: true,
    async: true,
    export: 'handle',
  })
}

function assemble(
  glue: Uint8Array,
  cores: ReadonlyMap<string, Uint8Array>,
  memoryMiB: number,
  manifest: Omit<WasmManifest, 'glue' | 'cores'>,
): Map<string, Uint8Array> {
  const artifact = new Map<string, Uint8Array>([['component.js', glue]])
  const paths: Record<string, string> = {}
  for (const [name, bytes] of cores) {
    const capped = capCore(bytes, memoryMiB)
    if (!WebAssembly.validate(capped as Uint8Array<ArrayBuffer>))
      throw new Refusal({ message: `the module ${name} is not valid WebAssembly` })
    const path = `cores/${createHash('sha256').update(capped).digest('hex').slice(0, 32)}.wasm`
    paths[name] = path
    artifact.set(path, capped)
  }
  const whole: WasmManifest = { ...manifest, glue: 'component.js', cores: paths }
  artifact.set(MANIFEST_PATH, new TextEncoder().encode(JSON.stringify(whole, null, 2)))
  return artifact
}
