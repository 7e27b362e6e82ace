// Puts the user's own files and lines in the place of those of the bundle that the engine ran.
import { readFile } from 'node:fs/promises'

import type { LocalFile } from '#core/artifact'
import type { FunctionFailure } from '#core/outcome'

import { MANIFEST_PATH, type WasmManifest } from './artifact.ts'
import { createStackMapper, type StackMapper } from './build/stack-map.ts'

/** Reads the artifact's source map when the first failure comes. */
export class FailurePlaces {
  readonly #files: readonly LocalFile[]
  #mapper: Promise<StackMapper | undefined> | undefined

  constructor(files: readonly LocalFile[]) {
    this.#files = files
  }

  async locate(failure: FunctionFailure): Promise<FunctionFailure> {
    if (failure.stack === undefined) return failure
    return { ...failure, stack: await this.stack(failure.stack) }
  }

  /** Never rejects: without a map, or with one that does not fit, the text stays as it is. */
  async stack(text: string): Promise<string> {
    this.#mapper ??= this.#open().catch(() => undefined)
    return (await this.#mapper)?.stack(text) ?? text
  }

  async #open(): Promise<StackMapper | undefined> {
    const { sourceMap } = JSON.parse(await this.#read(MANIFEST_PATH)) as WasmManifest
    return sourceMap === undefined ? undefined : createStackMapper(await this.#read(sourceMap))
  }

  async #read(path: string): Promise<string> {
    const file = this.#files.find((one) => one.path === path)
    return file === undefined ? '' : readFile(file.localPath, 'utf8')
  }
}
