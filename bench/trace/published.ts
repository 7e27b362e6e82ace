// The forecast as the paper has it, for comparison: one predicted idle time and 15 % around it, unloaded until then.
// The median of the remembered idle times stands for the paper's ARIMA (docs/keep-alive.md says why).
import type { IdleHistory } from '#invoker/pool/keep-alive/idle-history'
import type { Plan } from '#invoker/pool/keep-alive/policy'

import { median } from '../result.ts'

const MARGIN = 0.15

export function pointForecast({ recent }: IdleHistory): Plan {
  const predicted = median(recent)
  return { keepMs: 0, fromMs: predicted * (1 - MARGIN), untilMs: predicted * (1 + MARGIN) }
}
