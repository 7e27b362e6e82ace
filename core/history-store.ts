// The seam to where it is kept how functions were called, for the keep-alive that learns. Implemented in store/ on Redis.
import type { FunctionName } from './ids.ts'

/** A history is a short text that only its owner can read: at most 1 KB. */
export interface HistoryStore {
  /** All that are kept. @throws PlatformError `store-unavailable` */
  load(): Promise<ReadonlyMap<FunctionName, string>>
  /** Replaces those that are there; drops those of functions that are gone. @throws PlatformError `store-unavailable` */
  save(histories: ReadonlyMap<FunctionName, string>): Promise<void>
}
