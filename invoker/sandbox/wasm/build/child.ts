// The builder process: runs one job and ends. Started, limited and killed by builder-process.ts.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Artifact } from './assemble.ts'
import { Refusal, type BuildJob, type BuildMessage, type Report } from './job.ts'

const report: Report = (step, message) => send({ kind: 'progress', progress: { step, message } })

process.once('message', (job: BuildJob) => {
  runJob(job).then(
    (artifact) => send({ kind: 'built', artifact }, () => process.exit(0)),
    (thrown: unknown) => send(failure(thrown), () => process.exit(1)),
  )
})
// When the platform dies nobody is left to kill a build that hangs. The group: esbuild is a process of its own.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))

function send(message: BuildMessage, onSent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, onSent)
}

function failure(thrown: unknown): BuildMessage {
  if (thrown instanceof Refusal) return { kind: 'refused', diagnostics: thrown.diagnostics }
  return { kind: 'broken', error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
}

// Modules are imported as they are needed: each costs 30 to 80 ms, and no job needs all.
async function runJob(job: BuildJob): Promise<Artifact> {
  if (job.spec.runtime === 'wasm') {
    const { buildUploadedWasm } = await import('./uploaded-wasm.ts')
    return buildUploadedWasm(job, report)
  }
  const dirs = { upload: join(process.cwd(), 'upload'), empty: join(process.cwd(), 'empty') }
  await Promise.all([mkdir(dirs.upload), mkdir(dirs.empty)])
  const { bundle } = await import('./bundle.ts')
  report('bundle', 'bundling')
  const bundled = await bundle(job, dirs.upload)
  const { buildJs } = await import('./js.ts')
  return buildJs(bundled, job, { emptyDir: dirs.empty, report })
}
