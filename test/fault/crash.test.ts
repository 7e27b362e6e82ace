// Some rounds of the crash suite (crash.ts). All 200 of them: npm run test:crash -- --rounds 200
import { describe, expect, it } from 'vitest'

import { systemClock } from '#core/clock'

import { describeFaults, runStage, stagesOf } from './crash.ts'

const ROUNDS = 20
const STAGE_MS = 600_000

describe('after kill -9 of processes and of Redis', () => {
  it.each(stagesOf(ROUNDS))(
    'what was accepted ends in one record, runs no more often than that counts, and is told once ($name, $rounds rounds)',
    async (stage) => {
      const seed = Number(process.env.HEARTH_TEST_SEED ?? systemClock.now() % 1_000_000)
      console.log(`crash suite, ${stage.name}: seed ${seed}`)
      const reports = await runStage(stage, seed, () => {})
      expect(describeFaults(reports, seed)).toBe('')
      expect(reports).toHaveLength(stage.rounds)
      // Else all of the above would be true of nothing.
      expect(reports.some(({ accepted, isVoid }) => accepted > 0 && !isVoid)).toBe(true)
    },
    STAGE_MS,
  )
})
