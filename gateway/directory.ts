// The versions that calls select, kept in memory: a warm call asks the store nothing.
import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import type { FunctionStore } from '#core/function-store'
import type { FunctionVersion } from '#core/function'
import { parseFunctionName, parseVersionNumber } from '#core/ids'
import type { FunctionName } from '#core/ids'

/** Long enough to take the load of a storm of calls, short enough for a missed message to matter little. */
const MISSING_MS = 1000
/** Names that do not exist come from outside: without a bound they could fill the memory. */
const MAX_MISSING = 1000

/** Reads through to the store once however many calls ask, and forgets what the store says has changed. */
export class FunctionDirectory implements Disposable {
  readonly #functions: FunctionStore
  readonly #clock: Clock
  readonly #subscription: Disposable
  readonly #found = new Map<string, FunctionVersion>()
  readonly #missing = new Map<string, { readonly error: PlatformError; readonly until: number }>()
  readonly #loading = new Map<string, Promise<FunctionVersion>>()

  constructor(functions: FunctionStore, clock: Clock) {
    this.#functions = functions
    this.#clock = clock
    this.#subscription = functions.onChange((name) => this.forget(name))
  }

  /**
   * @param selector `name` for the live version, `name@number` for another
   * @throws PlatformError `invalid-name`, `invalid-request`, `function-not-found`, `version-not-found`
   */
  resolve(selector: string): FunctionVersion | Promise<FunctionVersion> {
    return this.#found.get(selector) ?? this.#loading.get(selector) ?? this.#miss(selector)
  }

  /** Asks the store again at the next call; undefined: for every function. */
  forget(name: FunctionName | undefined): void {
    for (const known of [this.#found, this.#missing, this.#loading]) {
      for (const selector of known.keys()) {
        if (name === undefined || nameIn(selector) === name) known.delete(selector)
      }
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #miss(selector: string): Promise<FunctionVersion> {
    const missing = this.#missing.get(selector)
    if (missing !== undefined && missing.until > this.#clock.now()) throw missing.error
    const loading = this.#load(selector).then(
      (version) => {
        // Unless a change came meanwhile: then what was read may be old.
        if (this.#loading.get(selector) === loading) this.#found.set(selector, version)
        this.#settle(selector, loading)
        return version
      },
      (error: unknown) => {
        if (this.#loading.get(selector) === loading) this.#remember(selector, error)
        this.#settle(selector, loading)
        throw error
      },
    )
    this.#loading.set(selector, loading)
    return loading
  }

  #settle(selector: string, loading: Promise<FunctionVersion>): void {
    if (this.#loading.get(selector) === loading) this.#loading.delete(selector)
  }

  #remember(selector: string, error: unknown): void {
    if (!(error instanceof PlatformError) || error.status !== 404) return
    if (this.#missing.size >= MAX_MISSING) this.#missing.clear()
    this.#missing.set(selector, { error, until: this.#clock.now() + MISSING_MS })
  }

  async #load(selector: string): Promise<FunctionVersion> {
    const name = parseFunctionName(nameIn(selector))
    const wanted = name === selector ? undefined : parseVersionNumber(selector.slice(name.length + 1))
    const record = await this.#functions.get(name)
    if (record === undefined) throw functionNotFound(name)
    const version = await this.#functions.version(name, wanted ?? record.live)
    if (version === undefined) throw versionNotFound(name, wanted ?? record.live)
    return version
  }
}

export function functionNotFound(name: FunctionName): PlatformError {
  return new PlatformError('function-not-found', { detail: `no function has the name ${JSON.stringify(name)}` })
}

export function versionNotFound(name: FunctionName, number: number): PlatformError {
  return new PlatformError('version-not-found', {
    detail: `the function ${JSON.stringify(name)} has no version ${number}`,
  })
}

function nameIn(selector: string): string {
  const at = selector.indexOf('@')
  return at === -1 ? selector : selector.slice(0, at)
}
