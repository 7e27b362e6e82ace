// The seam to where functions and versions are kept. Implemented in store/ on Redis.
import type { FunctionRecord, FunctionVersion } from './function.ts'
import type { FunctionName, VersionNumber } from './ids.ts'

export type NewVersion = Omit<FunctionVersion, 'number' | 'createdAt'>

export interface FunctionPage {
  /** Names after this one, in order. */
  readonly after: string
  readonly limit: number
}

export interface FunctionStore {
  get(name: FunctionName): Promise<FunctionRecord | undefined>
  /** By name: all, or those of a page. */
  list(page?: FunctionPage): Promise<readonly FunctionRecord[]>
  version(name: FunctionName, number: VersionNumber): Promise<FunctionVersion | undefined>
  /** Newest first. */
  versions(name: FunctionName): Promise<readonly FunctionVersion[]>
  /**
   * Adds a version and makes it live, in one step. `created` is false when the live version has the same digest:
   * then nothing changes. Concurrent deploys get different numbers.
   */
  deploy(draft: NewVersion, now: number): Promise<{ version: FunctionVersion; created: boolean }>
  /** Removes the function, its versions and blobs that nothing else uses; false when there is none. */
  remove(name: FunctionName): Promise<boolean>
  /** Called with the name after any process changed a function, this one included, and with undefined when messages may have been lost. */
  onChange(listener: (name: FunctionName | undefined) => void): Disposable
}
