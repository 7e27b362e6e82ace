// Which events a trigger wants: a declarative match on attributes and JSON data. Pure; decides nothing else.

/** One way to match a value. */
export type Condition =
  | { readonly equals: string | number | boolean | null }
  | { readonly prefix: string }
  | { readonly suffix: string }
  /** Bounds of a number; each may be absent. */
  | { readonly numeric: { readonly gt?: number; readonly gte?: number; readonly lt?: number; readonly lte?: number } }
  /** Whether there is such a value at all. */
  | { readonly exists: boolean }
  | { readonly not: Condition }

/**
 * By path: an attribute (`type`, `subject`, an extension) or `data.` and the way into JSON data (`data.order.total`).
 * All paths must match; of the conditions of a path, any.
 */
export type EventFilter = Readonly<Record<string, readonly Condition[]>>
