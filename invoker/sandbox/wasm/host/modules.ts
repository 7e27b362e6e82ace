// Reads artifacts and compiles their core modules, each once per process: the QuickJS engine is the same file in all
// functions, and workers share the machine code of a module that is posted to them.
import { readFile } from 'node:fs/promises'

import type { LocalFile } from '#core/artifact'

import { FORMAT, MANIFEST_PATH, type WasmManifest } from '../artifact.ts'

export interface LoadedArtifact {
  readonly manifest: WasmManifest
  readonly gluePath: string
  readonly glueCode: Uint8Array | undefined
  /** To be called with the glue compiled, which the next load is then given. */
  readonly keepGlueCode: (code: Uint8Array) => void
  readonly modules: ReadonlyMap<string, WebAssembly.Module>
}

interface CachedModule {
  readonly bytes: number
  readonly module: Promise<WebAssembly.Module>
}

const MAX_GLUE_CODE = 64

export class ModuleCache {
  readonly #limitBytes: number
  /** The least recently used first. */
  readonly #modules = new Map<string, CachedModule>()
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
    const manifest = JSON.parse(await readFile(need(MANIFEST_PATH).localPath, 'utf8')) as WasmManifest
    if (manifest.format !== FORMAT) {
      throw new Error('this artifact was built by another version of Hearth: deploy the function again')
    }
    const modules = await Promise.all(
      Object.entries(manifest.cores).map(async ([name, path]) => [name, await this.#get(need(path))] as const),
    )
    const glue = manifest.glue === '' ? undefined : need(manifest.glue)
    return {
      manifest,
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

  #get(file: LocalFile): Promise<WebAssembly.Module> {
    const cached = this.#modules.get(file.digest)
    if (cached !== undefined) {
      this.#modules.delete(file.digest)
      this.#modules.set(file.digest, cached)
      return cached.module
    }
    const module = readFile(file.localPath).then((bytes) => WebAssembly.compile(bytes))
    this.#modules.set(file.digest, { bytes: file.size, module })
    this.#bytes += file.size
    module.catch(() => this.#drop(file.digest))
    this.#evict()
    return module
  }

  #evict(): void {
    for (const digest of this.#modules.keys()) {
      if (this.#bytes <= this.#limitBytes || this.#modules.size === 1) return
      this.#drop(digest)
    }
  }

  #drop(digest: string): void {
    this.#bytes -= this.#modules.get(digest)?.bytes ?? 0
    this.#modules.delete(digest)
  }
}
