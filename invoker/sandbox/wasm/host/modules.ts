// Reads artifacts and compiles their core modules, each once per process: the QuickJS engine is the same file in all
// functions, and workers share the machine code of a module that is posted to them.
import { readFile } from 'node:fs/promises'

import type { LocalFile } from '#core/artifact'

import { FORMAT, MANIFEST_PATH, type WasmManifest } from '../artifact.ts'
import type { ComponentPlan } from '../component-plan.ts'

export interface LoadedArtifact {
  readonly manifest: WasmManifest
  readonly plan: ComponentPlan | undefined
  readonly gluePath: string
  readonly glueCode: Uint8Array | undefined
  /** To be called with the glue compiled, which the next load is then given. */
  readonly keepGlueCode: (code: Uint8Array) => void
  readonly modules: ReadonlyMap<string, WebAssembly.Module>
}

interface Cached {
  readonly bytes: number
  /** A module, or what a file of JSON says. */
  readonly content: Promise<unknown>
}

const MAX_GLUE_CODE = 64

export class ModuleCache {
  readonly #limitBytes: number
  /** By the digest of the file. The least recently used first. */
  readonly #cached = new Map<string, Cached>()
  #bytes = 0
  /** The same for all functions of an engine, and 0.4 MB each. By the digest of the glue. */
  readonly #glueCode = new Map<string, Uint8Array>()

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** @throws Error when a file is missing or not what the manifest says */
  async load(files: readonly LocalFile[]): Promise<LoadedArtifact> {
    const byPath = new Map(files.map((file) => [file.path, file]))
    const need = (path: string): LocalFile => {
      const file = byPath.get(path)
      if (file === undefined) throw new Error(`the artifact has no file ${JSON.stringify(path)}`)
      return file
    }
    const manifest = (await this.#get(need(MANIFEST_PATH), parse)) as WasmManifest
    if (manifest.format !== FORMAT) {
      throw new Error('this artifact was built by another version of Hearth: deploy the function again')
    }
    const glue = manifest.glue === '' ? undefined : need(manifest.glue)
    const reads = Object.entries(manifest.cores).map(
      async ([name, path]) => [name, (await this.#get(need(path), compile)) as WebAssembly.Module] as const,
    )
    const [modules, plan] = await Promise.all([
      Promise.all(reads),
      manifest.plan === undefined ? undefined : this.#get(need(manifest.plan), parse),
    ])
    return {
      manifest,
      plan: plan as ComponentPlan | undefined,
      gluePath: glue?.localPath ?? '',
      glueCode: glue === undefined ? undefined : this.#glueCode.get(glue.digest),
      keepGlueCode: (code) => glue !== undefined && this.#keepGlueCode(glue.digest, code),
      modules: new Map(modules),
    }
  }

  #keepGlueCode(digest: string, code: Uint8Array): void {
    this.#glueCode.set(digest, code)
    const [oldest] = this.#glueCode.keys()
    if (this.#glueCode.size > MAX_GLUE_CODE && oldest !== undefined) this.#glueCode.delete(oldest)
  }

  #get(file: LocalFile, read: (bytes: Buffer) => unknown): Promise<unknown> {
    const cached = this.#cached.get(file.digest)
    if (cached !== undefined) {
      this.#cached.delete(file.digest)
      this.#cached.set(file.digest, cached)
      return cached.content
    }
    const content = readFile(file.localPath).then(read)
    this.#cached.set(file.digest, { bytes: file.size, content })
    this.#bytes += file.size
    content.catch(() => this.#drop(file.digest))
    this.#evict()
    return content
  }

  #evict(): void {
    for (const digest of this.#cached.keys()) {
      if (this.#bytes <= this.#limitBytes || this.#cached.size === 1) return
      this.#drop(digest)
    }
  }

  #drop(digest: string): void {
    this.#bytes -= this.#cached.get(digest)?.bytes ?? 0
    this.#cached.delete(digest)
  }
}

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString())
}

function compile(bytes: Buffer): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bytes)
}
