// Types of complete-lock.mjs, for the tests.
export interface LockEntry {
  readonly version?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
export declare const LOCK_PATHS: readonly string[]
export declare function missingEntries(
  packages: Readonly<Record<string, LockEntry>>,
): Readonly<Record<string, LockEntry>>
