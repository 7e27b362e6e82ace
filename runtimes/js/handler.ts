// Which export of the user's module is the function. The same rules as in runtimes/node/load.cjs.

export type Style = 'fetch' | 'event'

export interface Handler {
  /** `fetch(request, env, ctx)` gives a Response; `event(event, context)` gives a plain value. */
  readonly style: Style
  readonly call: (...values: unknown[]) => unknown
}

type Namespace = Readonly<Record<string, unknown>>

/**
 * @param exportName from the spec's `handler`; empty: by convention
 * @throws Error naming what the module exports instead
 */
export function chooseHandler(module: Namespace, exportName: string): Handler {
  return exportName === '' || exportName === 'default' ? byConvention(module) : byName(module, exportName)
}

function byConvention(module: Namespace): Handler {
  const inner = module.default as Namespace | undefined
  for (const candidate of [inner, inner?.default, module] as (Namespace | undefined)[]) {
    if (typeof candidate?.fetch === 'function') return { style: 'fetch', call: candidate.fetch.bind(candidate) }
    if (typeof candidate === 'function') return { style: 'fetch', call: candidate }
    if (typeof candidate?.handler === 'function') return { style: 'event', call: candidate.handler.bind(undefined) }
  }
  const names = Object.keys(module).join(', ') || 'nothing'
  throw new TypeError(
    `the module must export default a fetch handler, or a function named handler: it exports ${names}`,
  )
}

function byName(module: Namespace, exportName: string): Handler {
  const value = (module[exportName] ?? (module.default as Namespace | undefined)?.[exportName]) as Namespace | undefined
  if (typeof value?.fetch === 'function') return { style: 'fetch', call: value.fetch.bind(value) }
  if (typeof value === 'function') {
    return { style: exportName === 'fetch' ? 'fetch' : 'event', call: value }
  }
  const names = Object.keys(module).join(', ') || 'nothing'
  throw new TypeError(`the module must export a function named ${exportName}: it exports ${names}`)
}
