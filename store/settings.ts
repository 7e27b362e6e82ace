// What the store lets an operator choose.

export interface StoreSettings {
  /** Longest wait for the first connection, ms. */
  readonly connectTimeoutMs: number
  /** Longest wait for an answer to a command, ms; then it fails as `store-unavailable`. */
  readonly commandTimeoutMs: number
  /** How long records and logs are kept, ms. */
  readonly retentionMs: number
  /** Most records of one function. */
  readonly recordsPerFunction: number
  /** Most log lines of one function, about. */
  readonly logLinesPerFunction: number
  /** Most log lines of one invocation: the first ones are kept. */
  readonly logLinesPerInvocation: number
  /** How long a record or log line waits to be written with others, ms. */
  readonly flushMs: number
  /** Most records and log lines that wait in memory while Redis does not answer. */
  readonly bufferedRecords: number
  /** How long a process that stopped renewing keeps a queued invocation, ms. */
  readonly leaseMs: number
  /** How often lanes with work are looked at for lost bells, due delays and dead processes, ms. */
  readonly sweepMs: number
  /** How long a blob that no version needs is kept, ms: longer than a deploy takes. */
  readonly blobGraceMs: number
  /** How long dead letters are kept, ms. */
  readonly deadLetterMs: number
  /** Most dead letters of one function: the oldest go first. */
  readonly deadLettersPerFunction: number
  /** How long idempotency keys and their responses are kept, ms. */
  readonly idempotencyMs: number
}

export const STORE_DEFAULTS: StoreSettings = {
  connectTimeoutMs: 10_000,
  commandTimeoutMs: 10_000,
  retentionMs: 7 * 24 * 3_600_000,
  recordsPerFunction: 10_000,
  logLinesPerFunction: 10_000,
  logLinesPerInvocation: 1_000,
  flushMs: 50,
  bufferedRecords: 20_000,
  leaseMs: 30_000,
  sweepMs: 5_000,
  blobGraceMs: 3_600_000,
  deadLetterMs: 14 * 24 * 3_600_000,
  deadLettersPerFunction: 10_000,
  idempotencyMs: 24 * 3_600_000,
}
