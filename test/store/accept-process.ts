// A process that accepts invocations and says which, until it is killed:
// `node accept-process.ts <redis url> <prefix>`.
import { argv } from 'node:process'

import { openStore } from '#store/open'

import { sampleInvocation, sampleRecord } from './samples.ts'

const [, , url = '', prefix = ''] = argv
const store = await openStore({ url, prefix })
// Should the test die first.
process.stdin.on('end', () => process.exit()).resume()
for (;;) {
  const invocations = Array.from({ length: 20 }, () =>
    sampleInvocation({}, 'x'.repeat(Math.random() < 0.1 ? 200_000 : 10)),
  )
  const saves = invocations.map(({ id }) => store.records.save(sampleRecord({ id, trigger: 'async', state: 'queued' })))
  const [errors] = await Promise.all([store.lanes.addMany(invocations), ...saves])
  const accepted = invocations.filter((_, index) => errors[index] === undefined)
  process.stdout.write(accepted.map(({ id }) => `${id}\n`).join(''))
}
