// The identifiers of Hearth and their parsers. Holds no state and knows nothing of where they are stored.
import { randomUUID } from 'node:crypto'

import { systemClock } from './clock.ts'
import { PlatformError } from './errors.ts'
import { UuidMaker } from './uuid.ts'

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** The name of a function: 1 to 63 characters of `a-z`, `0-9` and `-`, starting and ending with a letter or digit. */
export type FunctionName = Brand<string, 'FunctionName'>
/** The number of a version of a function: 1 for the first, then counting up. */
export type VersionNumber = Brand<number, 'VersionNumber'>
/** A UUIDv7: sorts by the time of creation. */
export type InvocationId = Brand<string, 'InvocationId'>
/** The name of a trigger: the same form as that of a function. */
export type TriggerName = Brand<string, 'TriggerName'>
/** The lane in which what is to be told to others about the calls of a function waits: never the name of a function. */
export type DeliveryLane = Brand<string, 'DeliveryLane'>
/** A queue of the store: one for the calls of a function, one for what is told about them. */
export type LaneName = FunctionName | DeliveryLane
/** Unique among the sandboxes of all invokers that share a store. */
export type SandboxId = Brand<string, 'SandboxId'>
/** Lower-case hexadecimal SHA-256. */
export type Digest = Brand<string, 'Digest'>

const FUNCTION_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const SHA256 = /^[0-9a-f]{64}$/

/** @throws PlatformError `invalid-name` */
export function parseFunctionName(value: string): FunctionName {
  if (FUNCTION_NAME.test(value)) return value as FunctionName
  throw new PlatformError('invalid-name', {
    detail: `a function name is 1 to 63 characters of a-z, 0-9 and "-", starting and ending with a letter or digit: received ${JSON.stringify(value.slice(0, 80))}`,
  })
}

/** @throws PlatformError `invalid-name` */
export function parseTriggerName(value: string): TriggerName {
  if (FUNCTION_NAME.test(value)) return value as TriggerName
  throw new PlatformError('invalid-name', {
    detail: `a trigger name is 1 to 63 characters of a-z, 0-9 and "-", starting and ending with a letter or digit: received ${JSON.stringify(value.slice(0, 80))}`,
  })
}

/** `~` cannot be in the name of a function. */
export function deliveryLaneOf(name: FunctionName): DeliveryLane {
  return `~${name}` as DeliveryLane
}

/** The function whose deliveries wait in a lane; undefined for the lane of a function itself. */
export function deliveriesOf(lane: LaneName): FunctionName | undefined {
  return lane.startsWith('~') ? (lane.slice(1) as FunctionName) : undefined
}

/** @throws PlatformError `invocation-not-found`: a malformed id names nothing. */
export function parseInvocationId(value: string): InvocationId {
  if (UUID.test(value)) return value as InvocationId
  throw new PlatformError('invocation-not-found', {
    detail: `no invocation has the id ${JSON.stringify(value.slice(0, 80))}`,
  })
}

/** @throws PlatformError `invalid-request` */
export function parseVersionNumber(value: string | number): VersionNumber {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0) return number as VersionNumber
  throw new PlatformError('invalid-request', {
    detail: `a version is a positive integer: received ${JSON.stringify(value)}`,
  })
}

/** @throws PlatformError `invalid-request` */
export function parseDigest(value: string): Digest {
  if (SHA256.test(value)) return value as Digest
  throw new PlatformError('invalid-request', {
    detail: `a digest is 64 hexadecimal digits: received ${JSON.stringify(value.slice(0, 80))}`,
  })
}

const uuids = new UuidMaker()

/** A new id, ordered by time: what the lists of records rely on. */
export function newInvocationId(now = systemClock.now()): InvocationId {
  return uuids.make(now) as InvocationId
}

/** A new id; `owner` is the driver that makes the sandbox. */
export function newSandboxId(owner: string): SandboxId {
  return `${owner}-${randomUUID().slice(0, 13)}` as SandboxId
}
