// Lets destinations out to the network through the gate that functions go through: the same addresses are refused.
import type { Clock } from '#core/clock'
import type { Outbound } from '#core/destination'
import { parseEgressRules } from '#core/egress'
import { EgressGate } from '#invoker/sandbox/wasm/egress'

/** Of an answer; only its status matters. */
const MAX_ANSWER_BYTES = 1024 * 1024

export function openOutbound(clock: Clock): Outbound & Disposable {
  const gate = new EgressGate({ clock, limits: { maxBytes: MAX_ANSWER_BYTES } })
  return {
    async post({ url, headers, body }, egress, signal) {
      const request = { method: 'POST', url, headers, body, redirect: 'error' } as const
      const { answer } = await gate.fetch(request, parseEgressRules(egress), signal)
      if (!answer.ok) throw new Error(answer.message)
      return { status: answer.status }
    },
    [Symbol.dispose]: () => gate[Symbol.dispose](),
  }
}
