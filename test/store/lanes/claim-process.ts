// A process that takes from a lane, says what, and holds it until it is killed:
// `node claim-process.ts <redis url> <prefix> <function>`.
import { argv } from 'node:process'

import { parseFunctionName } from '#core/ids'
import { openStore } from '#store/open'

import { eventually } from '../samples.ts'

const [, , url = '', prefix = '', name = ''] = argv
const store = await openStore({ url, prefix, settings: { leaseMs: 300, sweepMs: 50 } })
const claim = await eventually(() => store.lanes.take(parseFunctionName(name)))
process.stdout.write(`${claim.invocation.id} ${claim.attempt}\n`)
// Should the test die first.
process.stdin.on('end', () => process.exit()).resume()
