// From an upload to a live version.
import type { BuildProgress } from '#core/build'
import { versionDigest } from '#core/digest'
import type { FunctionVersion } from '#core/function'
import type { FunctionName } from '#core/ids'

import type { FunctionDirectory } from './directory.ts'
import type { GatewayDeps } from './gateway.ts'
import { KeyedLock } from './keyed-lock.ts'
import type { Upload } from './upload/read.ts'

export interface Deployed {
  readonly version: FunctionVersion
  /** False when code and spec are those of the live version: nothing was built. */
  readonly created: boolean
}

export interface DeployWatch {
  readonly onProgress: (progress: BuildProgress) => void
  /** Aborting ends the build; a version that is already stored stays. */
  readonly signal: AbortSignal
}

type DeployDeps = Pick<GatewayDeps, 'functions' | 'blobs' | 'builder' | 'clock'>

export class Deployer {
  readonly #deps: DeployDeps
  readonly #directory: FunctionDirectory
  /** Two deploys of one function at the same time would build for nothing and finish in any order. */
  readonly #turns = new KeyedLock<FunctionName>()

  constructor(deps: DeployDeps, directory: FunctionDirectory) {
    this.#deps = deps
    this.#directory = directory
  }

  /** @throws PlatformError `build-failed`, `driver-unavailable`, `store-unavailable`; the signal's reason */
  deploy(name: FunctionName, upload: Upload, watch: DeployWatch): Promise<Deployed> {
    return this.#turns.run(name, () => this.#deploy(name, upload, watch))
  }

  async #deploy(name: FunctionName, { spec, source }: Upload, { onProgress, signal }: DeployWatch): Promise<Deployed> {
    signal.throwIfAborted()
    const { functions, blobs, builder, clock } = this.#deps
    const digest = versionDigest(spec, source)
    const live = await this.#live(name)
    if (live?.digest === digest) return { version: live, created: false }
    const { artifact, toolchain } = await builder.build({ name, spec, source }, onProgress, signal)
    onProgress({ step: 'store', message: 'storing the version' })
    const stored = { source: await blobs.putAll(source, signal), artifact: await blobs.putAll(artifact, signal) }
    signal.throwIfAborted()
    const deployed = await functions.deploy({ function: name, digest, spec, toolchain, ...stored }, clock.now())
    // The store tells everybody, but this process need not wait for that: whoever deployed calls next.
    this.#directory.forget(name)
    return deployed
  }

  async #live(name: FunctionName): Promise<FunctionVersion | undefined> {
    const record = await this.#deps.functions.get(name)
    return record === undefined ? undefined : this.#deps.functions.version(name, record.live)
  }
}
