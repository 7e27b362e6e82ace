import type { Clock } from '#core/clock'

/** What `promise` resolves to, or undefined when that takes longer than `ms`. Rejects when it rejects in time. */
export async function within<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>()
  using _timer = clock.after(ms, () => late.resolve(undefined))
  return await Promise.race([promise, late.promise])
}
