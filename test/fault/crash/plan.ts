// What happens in a round, drawn from its seed. Pure.
import type { Random } from '#bench/trace/random'
import { seeded } from '#bench/trace/random'

import { type Fuse, FUSE_STEPS, type FunctionKey } from './world.ts'

/** A call for later. */
export interface Request {
  /** No other has it. */
  readonly tag: string
  readonly function: Exclude<FunctionKey, 'told'>
  /** How long it runs. */
  readonly ms: number
  /** So many attempts fail. */
  readonly fails: number
  readonly delayMs: number
  readonly priority: number
  /** 0: none */
  readonly maxAgeMs: number
  readonly bodyBytes: number
  /** Sent with a key, and again until it is answered. */
  readonly keyed: boolean
  readonly cancel?: { readonly afterMs: number; readonly insist: boolean }
}

/** One HTTP request: a single call, or a batch. */
export interface Sending {
  readonly atMs: number
  readonly isBatch: boolean
  readonly requests: readonly Request[]
}

export interface Blow {
  readonly victim: string
  /** By then it is killed, whatever became of the fuse. */
  readonly atMs: number
  readonly fuse?: Fuse
}

export interface RoundPlan {
  readonly sendings: readonly Sending[]
  readonly blows: readonly Blow[]
}

export interface PlanOptions {
  readonly seed: number
  readonly round: number
  /** Of whom some are killed; `redis` is Redis. */
  readonly victims: readonly string[]
  /** Whether those that are not Redis have fuses. */
  readonly fuses: boolean
}

const LOAD_MS = 600
const SENDINGS = 36
const LARGE_BODY_BYTES = 160 * 1024

export function planRound({ seed, round, victims, fuses }: PlanOptions): RoundPlan {
  const random = seeded(Math.imul(seed, 0x9e3779b1) + round)
  // Some rounds until the generator has forgotten how near the seeds are.
  for (let n = 0; n < 8; n++) random()
  const sendings = Array.from({ length: SENDINGS }, (_, n) => planSending(random, `${round}-${n}`))
  return { sendings, blows: planBlows(random, victims, fuses) }
}

function planSending(random: Random, name: string): Sending {
  const atMs = Math.floor(random() * LOAD_MS)
  const isBatch = random() < 0.2
  // Of a batch all, or it could not be sent again.
  const keyed = random() < 0.45
  const target = pick(random, ['work', 'work', 'plain', 'capped'] as const)
  const length = isBatch ? 2 + Math.floor(random() * 10) : 1
  const requests = Array.from({ length }, (_, n) => planRequest(random, { tag: `${name}.${n}`, keyed, target }))
  return { atMs, isBatch, requests }
}

interface Named {
  readonly tag: string
  readonly keyed: boolean
  readonly target: Request['function']
}

function planRequest(random: Random, { tag, keyed, target }: Named): Request {
  const cancel = { afterMs: Math.floor(random() * 150), insist: random() < 0.5 }
  return {
    tag,
    keyed,
    function: target,
    ms: Math.floor(random() ** 2 * 120),
    fails: pick(random, [0, 0, 0, 0, 0, 0, 1, 99]),
    delayMs: random() < 0.15 ? 50 + Math.floor(random() * 600) : 0,
    priority: random() < 0.2 ? 1 + Math.floor(random() * 9) : 0,
    maxAgeMs: random() < 0.08 ? 1 + Math.floor(random() * 200) : 0,
    bodyBytes: random() < 0.05 ? LARGE_BODY_BYTES : Math.floor(random() * 200),
    ...(random() < 0.12 ? { cancel } : {}),
  }
}

/** Redis, a process, or all processes at once; now and then two blows, the second one maybe during the recovery. */
function planBlows(random: Random, victims: readonly string[], fuses: boolean): Blow[] {
  const processes = victims.filter((name) => name !== 'redis')
  const atMs = (): number => Math.floor(random() * LOAD_MS * 1.3)
  const strike = (): Blow[] => {
    const share = random()
    if (share < 0.3 && victims.includes('redis')) return [{ victim: 'redis', atMs: atMs() }]
    const all = atMs()
    if (share < 0.45) return processes.map((victim) => ({ victim, atMs: all }))
    const blow = { victim: pick(random, processes), atMs: atMs() }
    return [fuses && random() < 0.6 ? { ...blow, atMs: LOAD_MS * 2, fuse: planFuse(random) } : blow]
  }
  return random() < 0.2 ? [...strike(), ...strike()] : strike()
}

function planFuse(random: Random): Fuse {
  const count = 1 + Math.floor(random() ** 2 * 12)
  return { step: pick(random, FUSE_STEPS), count, side: random() < 0.5 ? 'before' : 'after' }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T
}
