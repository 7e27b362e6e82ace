// Drafts for tests of the Wasm builder, and what they are built with.
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

import type { FileSet } from '#core/artifact'
import type { BuildOutput, Diagnostic, Draft } from '#core/build'
import { PlatformError } from '#core/errors'
import { parseFunctionName } from '#core/ids'
import { parseSpec } from '#core/spec'
import type { WasmManifest } from '#invoker/sandbox/wasm/artifact'
import type { WasmBuilder } from '#invoker/sandbox/wasm/build/builder'

type Files = Readonly<Record<string, string | Uint8Array>>

const ROOT = join(import.meta.dirname, '../../../../..')

/** @param spec fields of the spec; the runtime is `js` unless it says otherwise */
export function draftOf(files: Files | FileSet, spec: Readonly<Record<string, unknown>> = {}): Draft {
  const entries = files instanceof Map ? [...files] : Object.entries(files as Files)
  return {
    name: parseFunctionName('under-test'),
    spec: parseSpec(spec, 'js'),
    source: new Map(entries.map(([path, content]) => [path, bytesOf(content as string | Uint8Array)])),
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content
}

/** The files of a folder of the repository, as an upload. */
export async function uploadOf(folder: string, skip: RegExp = /^$/): Promise<Map<string, Uint8Array>> {
  const dir = join(ROOT, folder)
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const wanted = paths.filter((path) => !skip.test(path))
  return new Map(await Promise.all(wanted.map(async (path) => [relative(dir, path), await readFile(path)] as const)))
}

/** As a CLI would upload the example: with the package, which the repository has. */
export async function honoUpload(): Promise<Map<string, Uint8Array>> {
  const source = await uploadOf('functions/hello-ts-hono')
  const hono = await uploadOf('node_modules/hono', /\/cjs\/|\.d\.ts$/)
  for (const [path, bytes] of hono) source.set(`node_modules/hono/${path}`, bytes)
  return source
}

export function buildQuietly(builder: WasmBuilder, draft: Draft): Promise<BuildOutput> {
  return builder.build(draft, () => {}, new AbortController().signal)
}

/** Why a draft does not build. */
export async function refusalOf(builder: WasmBuilder, draft: Draft): Promise<Diagnostic> {
  const error = await buildQuietly(builder, draft).then(
    () => new Error('it was built'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof PlatformError) || error.code !== 'build-failed') throw error
  return (error.members.diagnostics as readonly Diagnostic[])[0] as Diagnostic
}

export function manifestOf(artifact: FileSet): WasmManifest {
  return JSON.parse(new TextDecoder().decode(artifact.get('manifest.json'))) as WasmManifest
}
