// Makes an upload of a path: a file as it is, a folder as a tar.gz with the packages that it needs.
import { readFile, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'

import { impliedRuntime } from '#gateway/upload/layout'
import { kindOfName } from '#gateway/upload/media'
import { toTarGz } from '#gateway/upload/pack'

import { CliError, EXIT, usageError } from '../exit.ts'
import { listFiles } from './files.ts'
import { readManifest, type FunctionManifest } from './manifest.ts'
import { packageFiles } from './packages.ts'

export interface Upload {
  readonly name: string
  /** As the user wrote it; the server checks it. */
  readonly spec: Readonly<Record<string, unknown>>
  /** Tells the server what it is. */
  readonly fileName: string
  readonly bytes: Uint8Array
  readonly fileCount: number
}

/**
 * @param overrides fields of the spec that win over those of function.json
 * @throws CliError when there is nothing at the path that can be deployed, PlatformError `invalid-spec` when the files
 * do not tell the runtime
 */
export async function bundle(path: string, overrides: Upload['spec']): Promise<Upload> {
  const full = resolve(path)
  const info = await stat(full).catch(() => undefined)
  if (info === undefined) {
    throw new CliError(`there is no file or folder ${JSON.stringify(path)}`, { exit: EXIT.notFound })
  }
  if (!info.isDirectory()) return { ...(await single(full)), name: nameOf(full), spec: overrides }
  const manifest = await readManifest(full)
  const name = manifest.name ?? nameOf(full)
  const spec = { ...manifest.spec, ...overrides }
  if (manifest.entry !== undefined) return { ...(await single(join(full, manifest.entry))), name, spec }
  return { ...(await folder(full, manifest, spec)), name, spec }
}

type Packed = Pick<Upload, 'fileName' | 'bytes' | 'fileCount'>

async function single(path: string): Promise<Packed> {
  if (kindOfName(path) === undefined) {
    throw usageError(`${path}: expected a folder, a .js, .ts, .py or .wasm file, a .zip or a .tar.gz`)
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw usageError(`cannot read ${path}: ${reason}`, 'is it made by a build that has not run yet?')
  })
  return { fileName: basename(path), bytes, fileCount: 1 }
}

async function folder(dir: string, manifest: FunctionManifest, spec: Upload['spec']): Promise<Packed> {
  const own = await listFiles(dir, manifest.files)
  if (own.size === 0) throw usageError(`${dir} has no files to deploy`, 'is all of it in .hearthignore?')
  const runtime = spec.runtime ?? impliedRuntime(own, spec.handler)
  const packages = runtime === 'js' || runtime === 'node' ? await packageFiles(dir) : new Map<string, Uint8Array>()
  const files = new Map([...own, ...packages])
  return { fileName: 'code.tar.gz', bytes: await toTarGz(files), fileCount: files.size }
}

/** The name of the file or folder, in the letters that a function name takes. */
function nameOf(path: string): string {
  const file = basename(path)
  const stem = kindOfName(file) === undefined ? file : file.replace(/(?:\.tar\.gz|\.[^.]+)$/i, '')
  const name = stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-|-$/g, '')
  if (name !== '') return name
  throw usageError(`${JSON.stringify(file)} gives no function name`, 'say one with --name')
}
