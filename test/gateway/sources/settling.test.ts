import { describe, expect, it } from 'vitest'

import { goodbye, Settling } from '#gateway/sources/settling'
import { ManualClock, settle } from '#test/invoker/manual-clock'

const RECEIVED = { event: { attributes: { id: '1', source: '/test', type: 'test' }, data: new Uint8Array() } }

function start() {
  const stop = new AbortController()
  const accepted = Promise.withResolvers<void>()
  const settling = new Settling({ accept: () => accepted.promise, signal: stop.signal })
  const said: string[] = []
  const settlement = {
    acknowledge: () => void said.push('acknowledged'),
    giveBack: () => void said.push('given back'),
  }
  return { settling, settlement, said, accepted, stop: () => stop.abort(new Error('stop')) }
}

describe('a message that is handed over', () => {
  it('is acknowledged once it is taken', async () => {
    const { settling, settlement, said, accepted } = start()
    settling.handOver(RECEIVED, settlement)
    await settle()
    expect([said, settling.count]).toEqual([[], 1])
    accepted.resolve()
    await settle()
    expect([said, settling.count]).toEqual([['acknowledged'], 0])
  })

  it('is given back when the trigger stops', async () => {
    const { settling, settlement, said, accepted, stop } = start()
    settling.handOver(RECEIVED, settlement)
    stop()
    accepted.reject(new Error('stop'))
    await settling.whenStopped()
    expect(said).toEqual(['given back'])
  })

  it('is waited for when the trigger stops, and not when the source is lost', async () => {
    const { settling, settlement, said, accepted, stop } = start()
    settling.handOver(RECEIVED, settlement)
    await settling.whenStopped()
    expect(said).toEqual([])
    stop()
    const stopped = settling.whenStopped()
    accepted.resolve()
    await stopped
    expect(said).toEqual(['acknowledged'])
  })

  it('of a broker that does not hear of it is left to that', async () => {
    const { settling, accepted } = start()
    settling.handOver(RECEIVED, {
      acknowledge() {
        throw new Error('channel closed')
      },
    })
    accepted.resolve()
    await settle()
    expect(settling.count).toBe(0)
  })
})

describe('goodbye()', () => {
  it('is over when the closing is', async () => {
    await goodbye(Promise.resolve(), new ManualClock())
    await goodbye(Promise.reject(new Error('closed already')), new ManualClock())
  })

  it('does not wait for ever', async () => {
    const clock = new ManualClock()
    const over = goodbye(new Promise(() => {}), clock)
    await clock.pass(3000)
    await over
  })
})
