// The image of every runtime: found by the content of what is in it, built when it is not there yet. Never per function.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'

import type Docker from 'dockerode'
import { pack } from 'tar-stream'

import type { BuildProgress } from '#core/build'
import { type Clock, systemClock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { within } from '#invoker/within'

import { imageExists, makeBaseImage } from './base-image.ts'
import { LABELS } from './labels.ts'
import { type ContainerRuntime, type Recipe, RECIPES } from './recipes.ts'
import { readReports } from './streams.ts'

/** How long a registry may be silent, the first answer included. */
const PULL_SILENCE_MS = 5_000

export interface RuntimeImagesOptions {
  readonly docker: Docker
  readonly onProgress: (progress: BuildProgress) => void
  readonly clock?: Clock
}

export class RuntimeImages {
  readonly #docker: Docker
  readonly #onProgress: (progress: BuildProgress) => void
  readonly #clock: Clock
  /** Ready or under way. */
  readonly #images = new Map<ContainerRuntime, Promise<string>>()
  readonly #closing = new AbortController()

  constructor({ docker, onProgress, clock = systemClock }: RuntimeImagesOptions) {
    this.#docker = docker
    this.#onProgress = onProgress
    this.#clock = clock
  }

  /**
   * The name of the runtime's image, built now when it has to be. A build is shared by all who wait for it and goes on
   * when they no longer do.
   * @throws PlatformError `sandbox-unavailable`
   */
  ensure(runtime: ContainerRuntime): Promise<string> {
    let image = this.#images.get(runtime)
    if (image === undefined) {
      image = this.#find(runtime)
      this.#images.set(runtime, image)
      image.catch(() => this.#images.delete(runtime))
    }
    return image
  }

  /** The image is gone from the daemon: the next `ensure` looks again. */
  forget(runtime: ContainerRuntime): void {
    this.#images.delete(runtime)
  }

  /** Stops what is under way. */
  close(): void {
    this.#closing.abort(new Error('Hearth is ending'))
  }

  async #find(runtime: ContainerRuntime): Promise<string> {
    const recipe = RECIPES[runtime]
    try {
      const files = await readFiles(recipe.dir)
      const hash = contentHash(runtime, recipe, files)
      const name = `hearth/${runtime}:${hash}`
      if (await imageExists(this.#docker, name)) return name
      const base = await this.#base(runtime, recipe)
      await this.#build(runtime, { name, base, files })
      await this.#prune(runtime, [name, base])
      return name
    } catch (cause) {
      const detail = `the image of the ${runtime} runtime cannot be built: ${(cause as Error).message}`
      throw new PlatformError('sandbox-unavailable', { detail, cause })
    }
  }

  async #build(runtime: ContainerRuntime, { name, base, files }: Build): Promise<void> {
    this.#tell(`building the image of the ${runtime} runtime on ${base}`)
    const context = pack()
    for (const [path, bytes] of files) context.entry({ name: path, mode: 0o644 }, bytes)
    context.finalize()
    const stream = await this.#docker.buildImage(Readable.from(context), {
      t: name,
      buildargs: { BASE: base },
      labels: { [LABELS.image]: runtime },
      networkmode: 'none',
      forcerm: true,
    })
    await readReports(stream, () => {}, this.#closing.signal)
    this.#tell(`the image of the ${runtime} runtime is ready`)
  }

  async #base(runtime: ContainerRuntime, recipe: Recipe): Promise<string> {
    if (await imageExists(this.#docker, recipe.base)) return recipe.base
    const refused = await this.#pull(recipe.base)
    if (refused === undefined) return recipe.base
    this.#tell(`${recipe.base} cannot be pulled (${refused})`)
    const onProgress = (message: string): void => this.#tell(message)
    return makeBaseImage({ docker: this.#docker, runtime, onProgress }, this.#closing.signal)
  }

  /** Why it could not be had, or undefined when it is there. Gives up soon where there is no registry. */
  async #pull(image: string): Promise<string | undefined> {
    const silence = new AbortController()
    const signal = AbortSignal.any([silence.signal, this.#closing.signal])
    const quiet = (): void => silence.abort(new Error(`no answer from the registry within ${PULL_SILENCE_MS} ms`))
    let timer = this.#clock.after(PULL_SILENCE_MS, quiet)
    try {
      const pulling = this.#docker.pull(image, { abortSignal: signal })
      const stream = await within(pulling, PULL_SILENCE_MS, this.#clock)
      if (stream === undefined) return 'the registry does not answer'
      await readReports(
        stream,
        (text) => {
          timer[Symbol.dispose]()
          timer = this.#clock.after(PULL_SILENCE_MS, quiet)
          if (/Pulling from|Status/.test(text)) this.#tell(text)
        },
        signal,
      )
      return undefined
    } catch (error) {
      this.#closing.signal.throwIfAborted()
      return (error as Error).message.split('\n')[0]
    } finally {
      timer[Symbol.dispose]()
    }
  }

  /** Removes what earlier versions of Hearth or of this machine's programs have built, as far as nothing uses it. */
  async #prune(runtime: ContainerRuntime, current: readonly string[]): Promise<void> {
    for (const kind of [runtime, `base-${runtime}`]) {
      const images = await this.#docker.listImages({ filters: { label: [`${LABELS.image}=${kind}`] } })
      for (const { Id: id, RepoTags: tags } of images) {
        if (tags?.some((tag) => current.includes(tag)) === true) continue
        // 409: a container or another image needs it.
        await this.#docker
          .getImage(id)
          .remove({})
          .catch(() => {})
      }
    }
  }

  #tell(message: string): void {
    this.#onProgress({ step: 'image', message })
  }
}

interface Build {
  readonly name: string
  readonly base: string
  readonly files: ReadonlyMap<string, Buffer>
}

async function readFiles(dir: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const entries = await readdir(dir, { withFileTypes: true, recursive: true })
  const names = entries
    .filter((entry) => entry.isFile() && !/\.pyc$|^README/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
  for (const name of names.toSorted()) files.set(name.slice(dir.length), await readFile(name))
  return files
}

/** A base made here has this machine's node in it, so another version of it is another image. */
function contentHash(runtime: ContainerRuntime, { base }: Recipe, files: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256').update(`${base}\n${runtime === 'node' ? process.version : ''}\n`)
  for (const [path, bytes] of files) hash.update(`${path}\n${bytes.length}\n`).update(bytes)
  return hash.digest('hex').slice(0, 16)
}
