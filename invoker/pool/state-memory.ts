// What sandboxes hold, by state, for the status and the metrics. Decides nothing.
import type { SandboxCounts, SandboxMemory, StateMemory } from '#core/invoker'

import type { Member } from './member.ts'
import { countedAs } from './sandbox-state.ts'

export function memoryByState(members: readonly Member[]): SandboxMemory {
  const byState: { -readonly [K in keyof SandboxCounts]?: StateMemory } = {}
  for (const { state, heldMiB, sandbox } of members) {
    const kind = countedAs(state)
    const { countedMiB, residentBytes } = byState[kind] ?? { countedMiB: 0 }
    const own = sandbox?.residentBytes
    const resident = own === undefined ? residentBytes : (residentBytes ?? 0) + own
    byState[kind] = { countedMiB: countedMiB + heldMiB, ...(resident === undefined ? {} : { residentBytes: resident }) }
  }
  return byState
}
