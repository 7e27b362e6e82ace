/** The platform's log, as far as the invoker needs one. Fields are for machines; an `error` field carries the cause. */
export interface Log {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
}
