// The policy as published, for comparison: out of bounds it predicts one idle time and is loaded 15 % around it. The
// median of the remembered idle times stands for the paper's ARIMA (docs/keep-alive.md says why).
import type { HybridHistogramOptions } from '#invoker/pool/keep-alive/hybrid-histogram'
import { type IdleHistory, RANGE_MS } from '#invoker/pool/keep-alive/idle-history'
import type { Plan } from '#invoker/pool/keep-alive/policy'

import { median } from '../result.ts'

const MARGIN = 0.15

export const AS_PUBLISHED: HybridHistogramOptions = {
  forecast: pointForecast,
  alsoExpectedShare: 0.5,
  unknownMs: RANGE_MS,
}

function pointForecast({ recent }: IdleHistory): Plan {
  const predicted = median(recent)
  return { keepMs: 0, fromMs: predicted * (1 - MARGIN), untilMs: predicted * (1 + MARGIN) }
}
