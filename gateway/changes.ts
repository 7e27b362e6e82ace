// What this process does when a function was deployed or removed, here or by any other process.
import type { FunctionName, VersionNumber } from '#core/ids'

import type { GatewayContext } from './routes/context.ts'

/** Until disposed. */
export function followChanges(context: GatewayContext): Disposable {
  return context.deps.functions.onChange((name) => void apply(context, name))
}

/** @param name undefined when messages may have been lost: then every function may have changed */
async function apply(context: GatewayContext, name: FunctionName | undefined): Promise<void> {
  const { functions } = context.deps
  try {
    if (name !== undefined) return await settle(context, name, (await functions.get(name))?.live)
    const live = new Map((await functions.list()).map((record) => [record.name, record.live]))
    for (const known of new Set([...live.keys(), ...context.metrics.names]))
      await settle(context, known, live.get(known))
  } catch {
    // The store is away. When it is back it says that messages may have been lost, and all is looked at again.
  }
}

/** @param live undefined when the function is gone */
async function settle(context: GatewayContext, name: FunctionName, live: VersionNumber | undefined): Promise<void> {
  const { invoker, functions } = context.deps
  invoker.retire(name, live)
  if (live !== undefined) {
    const version = await functions.version(name, live)
    if (version !== undefined) invoker.prepare(version)
    return
  }
  context.metrics.forget(name)
  context.records.forget(name)
}
