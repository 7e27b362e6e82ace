// All kinds of sources. A new one is one line here.
import type { SourceKind } from '#core/trigger'

import { amqpSource } from './amqp/source.ts'
import { bullmqSource } from './bullmq/source.ts'
import { eventsSource } from './events/source.ts'
import { httpSource } from './http/source.ts'
import { mqttSource } from './mqtt/source.ts'
import { natsSource } from './nats/source.ts'
import { postgresSource } from './postgres/source.ts'
import { redisStreamSource } from './redis-stream/source.ts'
import { scheduleSource } from './schedule/source.ts'
import type { EventSource } from './source.ts'

export type SourceCatalogue = Readonly<Partial<Record<SourceKind, EventSource>>>

export const SOURCES: SourceCatalogue = {
  schedule: scheduleSource,
  http: httpSource,
  events: eventsSource,
  bullmq: bullmqSource,
  'redis-stream': redisStreamSource,
  nats: natsSource,
  amqp: amqpSource,
  mqtt: mqttSource,
  postgres: postgresSource,
}
