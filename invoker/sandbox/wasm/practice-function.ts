// The function that spare workers practise with, from the builder to where the host process can read it.
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

import type { FileSet, LocalFile } from '#core/artifact'
import { digestOf } from '#core/digest'

export interface PracticeOptions {
  /** @param make whether to build it when it is not there; undefined when it is neither there nor made */
  readonly find: (make: boolean) => Promise<FileSet | undefined>
  /** Where its files go. Made when it is not there; may be shared by processes. */
  readonly dir: string
  /** Once, when it is there. */
  readonly onFound: (files: readonly LocalFile[]) => void
}

/** Looked for in the background: no start waits for it, and without it starts are slower and no worse. */
export class PracticeFunction {
  readonly #options: PracticeOptions
  readonly #search: Promise<void>
  #made = false
  #files: readonly LocalFile[] | undefined

  constructor(options: PracticeOptions) {
    this.#options = options
    this.#search = this.#look(false)
  }

  /** Undefined until it is there. */
  get files(): readonly LocalFile[] | undefined {
    return this.#files
  }

  /** Somebody uses js: it is worth building. */
  async want(): Promise<void> {
    if (this.#made) return
    this.#made = true
    await this.#search
    if (this.#files === undefined) await this.#look(true)
  }

  async #look(make: boolean): Promise<void> {
    try {
      const found = await this.#options.find(make)
      if (found === undefined) return
      this.#files = await keep(this.#options.dir, found)
      this.#options.onFound(this.#files)
    } catch {
      // A builder that is closed or broken tells who builds something; this nobody waits for.
    }
  }
}

async function keep(dir: string, files: FileSet): Promise<readonly LocalFile[]> {
  await mkdir(dir, { recursive: true })
  return Promise.all(
    [...files].map(async ([path, bytes]) => {
      const digest = digestOf(bytes)
      const localPath = join(dir, `${digest}${extname(path)}`)
      const known = await stat(localPath).catch(() => undefined)
      if (known?.size !== bytes.length) {
        const temporary = `${localPath}.${process.pid}`
        await writeFile(temporary, bytes)
        await rename(temporary, localPath)
      }
      return { path, digest, size: bytes.length, localPath }
    }),
  )
}
