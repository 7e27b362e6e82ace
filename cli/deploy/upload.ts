// Sends an upload and follows its build.
import { problemError, type Client, type Problem } from '../client.ts'
import { startProgress } from '../progress.ts'
import { ndjson } from '../streams.ts'
import type { Terminal } from '../terminal.ts'
import type { Upload } from './bundle.ts'

export interface Deployed {
  readonly function: string
  readonly version: number
  /** False when code and spec are those of the live version. */
  readonly created: boolean
  readonly url: string
  readonly digest: string
  readonly createdAt: number
}

/** A line of the stream: a step of the build, or how it ended. */
type BuildEvent =
  | { readonly type: 'progress'; readonly step: string; readonly message: string }
  | ({ readonly type: 'result' } & Deployed)
  | { readonly type: 'error'; readonly problem: Problem }

/** @throws CliError with the builder's message and the place in the code */
export async function upload(client: Client, code: Upload, terminal: Terminal): Promise<Deployed> {
  using progress = startProgress(terminal, `deploy ${code.name}`)
  progress.step(`uploading ${code.fileCount} ${code.fileCount === 1 ? 'file' : 'files'}, ${kib(code.bytes.length)}`)
  const form = new FormData()
  form.append('spec', new Blob([JSON.stringify(code.spec)], { type: 'application/json' }), 'spec.json')
  form.append('code', new Blob([Buffer.from(code.bytes)]), code.fileName)
  const path = `/v1/functions/${encodeURIComponent(code.name)}`
  const response = await client.call(path, { method: 'PUT', body: form, headers: { accept: 'application/x-ndjson' } })
  for await (const value of ndjson(response.body ?? new ReadableStream())) {
    const event = value as BuildEvent
    if (event.type === 'progress') progress.step(event.message || event.step)
    if (event.type === 'error') throw problemError(event.problem)
    if (event.type === 'result') {
      const { type: _, ...deployed } = event
      return deployed
    }
  }
  throw problemError({ status: 500, title: 'The connection ended before the build did', advice: 'deploy again' })
}

function kib(bytes: number): string {
  return bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 * 1024
      ? `${Math.ceil(bytes / 1024)} KiB`
      : `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
