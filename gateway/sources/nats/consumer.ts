// The durable consumer of a trigger: the place in the stream that the server keeps for it.
import type { ConsumerConfig, ConsumerInfo, JetStreamManager } from '@nats-io/jetstream'

import type { SourceContext } from '../source.ts'
import type { NatsOptions } from './options.ts'

/** The server hands a message out again when it has heard nothing of it for so long. */
export const ACK_WAIT_MS = 15_000
const NANOS_PER_MS = 1_000_000

type Context = Pick<SourceContext<NatsOptions>, 'trigger' | 'options' | 'prefetch' | 'state'>

/**
 * The name of the consumer, which is there and has the settings of the trigger. One that was made before and is there no
 * more is not made again, for its place is lost with it: that is for whoever removed it to decide.
 * @param created when the stream was made
 * @throws Error for the status of the trigger
 */
export async function ensureConsumer(manager: JetStreamManager, context: Context, created: string): Promise<string> {
  const { stream, subject, start } = context.options
  const durable = context.options.durable === '' ? `hearth-${context.trigger}` : context.options.durable
  const settings = {
    ack_wait: ACK_WAIT_MS * NANOS_PER_MS,
    max_ack_pending: context.prefetch,
    filter_subject: subject,
  }
  const made = JSON.stringify([stream, durable, created])
  const before = await context.state.get()
  const info = await infoOf(manager, stream, durable)
  if (info !== undefined) {
    checkConsumer(info)
    await manager.consumers.update(stream, durable, settings)
  } else if (before === made) {
    throw new Error(
      `the durable consumer "${durable}" of the stream "${stream}" was removed, and with it the place of this trigger: ` +
        'make it again, name another in source.durable, or remove the trigger and put it again',
    )
  } else {
    const config: ConsumerConfig = {
      ...settings,
      durable_name: durable,
      ack_policy: 'explicit',
      // Of a stream that was removed and made again all messages came after the trigger.
      deliver_policy: before !== undefined && isOf(before, stream, durable) ? 'all' : start,
      replay_policy: 'instant',
    }
    await manager.consumers.add(stream, config)
  }
  if (before !== made) await context.state.set(made)
  return durable
}

function isOf(made: string, stream: string, durable: string): boolean {
  const [madeStream, madeDurable] = JSON.parse(made) as string[]
  return madeStream === stream && madeDurable === durable
}

async function infoOf(manager: JetStreamManager, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(stream, durable)
  } catch (error) {
    if (error instanceof Error && error.name === 'ConsumerNotFoundError') return undefined
    throw error
  }
}

function checkConsumer({ name, stream_name: stream, config }: ConsumerInfo): void {
  const what = `the consumer "${name}" of the stream "${stream}"`
  if (config.deliver_subject !== undefined) throw new Error(`${what} must be a pull consumer: it is a push consumer`)
  if (config.ack_policy === 'explicit') return
  throw new Error(`${what} must have the ack policy explicit: it has ${config.ack_policy}`)
}
