// A process that serves the triggers of a store and is killed, as by kill -9, at the moment when an event is queued: before
// the first addMany() of its lanes, or after it. Started by event-source.ts.
import { openStore } from '#store/open'
import { SOURCES } from '#gateway/sources/catalogue'

import { openTriggers, STORE_SETTINGS } from './trigger-house.ts'

const [redisUrl = '', prefix = '', moment = ''] = process.argv.slice(2)
const store = await openStore({ url: redisUrl, prefix, settings: STORE_SETTINGS })
const { lanes } = store
const addMany: typeof lanes.addMany = async (invocations) => {
  if (moment === 'before') process.kill(process.pid, 'SIGKILL')
  const answers = await lanes.addMany(invocations)
  process.kill(process.pid, 'SIGKILL')
  return answers
}
const deadly = Object.assign(Object.create(lanes) as typeof lanes, {
  addMany,
  add: (...args: Parameters<typeof lanes.add>) => lanes.add(...args),
  has: (...args: Parameters<typeof lanes.has>) => lanes.has(...args),
  cancel: (...args: Parameters<typeof lanes.cancel>) => lanes.cancel(...args),
})
await openTriggers({ ...store, lanes: deadly }, SOURCES, redisUrl).start()
