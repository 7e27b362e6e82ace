// What the routes of a gateway share.
import type { FastifyRequest } from 'fastify'

import type { AcceptGatherer } from '../accept/gatherer.ts'
import type { TokenCheck } from '../auth.ts'
import type { FunctionDirectory } from '../directory.ts'
import type { GatewayDeps, GatewayOptions } from '../gateway.ts'
import type { RequestForwarder } from '../invoke/headers.ts'
import type { ResponseParts } from '../invoke/http-response.ts'
import type { SyncRecords } from '../invoke/sync-records.ts'
import type { GatewayMetrics } from '../metrics.ts'
import type { RunningRequests } from '../running.ts'
import type { Triggers } from '../triggers/triggers.ts'

export interface GatewayContext {
  readonly deps: GatewayDeps
  readonly options: GatewayOptions
  readonly directory: FunctionDirectory
  readonly metrics: GatewayMetrics
  readonly records: SyncRecords
  readonly triggers: Triggers
  readonly running: RunningRequests
  readonly forwarder: RequestForwarder
  readonly responses: ResponseParts
  readonly isAdmin: TokenCheck
  readonly accepting: AcceptGatherer
}

/** Nothing was parsed by fastify: every value is text, or a list of texts when it came more than once. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

export function queryOf(request: FastifyRequest): Query {
  return request.query as Query
}

export function paramsOf<Name extends string>(request: FastifyRequest): Readonly<Record<Name, string>> {
  return request.params as Record<Name, string>
}
