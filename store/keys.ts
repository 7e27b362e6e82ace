// Names every key and channel that Hearth has in Redis. Reads and writes none of them.
//
// All names start with the prefix (default "hearth"). The braces are Redis Cluster hash tags: what one script or
// transaction touches has one tag, except where one script for all that is written together saves most of the cost:
// records/writer.ts, lanes/add.ts. {fn:<name>} is everything of one function.
//
//   hearth:functions                 SET   names of functions; may name one that is gone
//   hearth:{fn:<name>}:fn            HASH  live, seq, digest, createdAt, updatedAt, calls (history); only seq outlives the function
//   hearth:{fn:<name>}:versions      HASH  number → version as JSON
//   hearth:{fn:<name>}:lane:…              the function's BullMQ queue
//   hearth:{fn:<name>}:deliveries:…        the BullMQ queue of what is told about its calls
//   hearth:{fn:<name>}:bodies        HASH  invocation id → body too large for its job
//   hearth:{fn:<name>}:delivery-bodies     the same, of deliveries
//   hearth:{fn:<name>}:dead          ZSET  ids of dead letters → when they came
//   hearth:{fn:<name>}:dead:letters  HASH  id → dead letter as JSON
//   hearth:{fn:<name>}:logs          STREAM the newest log lines
//   hearth:{fn:<name>}:records       ZSET  ids of records that were taken, all with score 0: by id is by time
//   hearth:{fn:<name>}:records:<state>     the same, by state, queued ones too; not of those that succeeded
//   hearth:{rec:<x>}:record:<id>     STRING state letter, rank, ":", record as JSON; x is the last digit of the id
//   hearth:{rec:<x>}:log:<id>        LIST  log lines of the invocation
//   hearth:{all}:records             ZSET  ids of the records of all functions that were taken
//   hearth:{all}:functions           SET   names of functions that have records, or had
//   hearth:{trg:<name>}:records      ZSET  ids of the records of a trigger
//   hearth:{trg:<name>}:status       HASH  what its process said last, and counters
//   hearth:{trg:<name>}:state        STRING what its source must know after a restart
//   hearth:{trg:<name>}:leader       STRING the process that serves it
//   hearth:triggers                  HASH  name → trigger as JSON
//   hearth:dead                      SET   names of functions that have dead letters, or had
//   hearth:{idem:<digest>}:lease     STRING the owner of one that is under way
//   hearth:{idem:<digest>}:key       HASH  of a scope and key: fingerprint, invocation, then the response
//   hearth:{lanes}:bells             ZSET  lanes that should be taken from → when they rang
//   hearth:{lanes}:due               ZSET  every lane → when the sweep looks at it next
//   hearth:{blob:<digest>}:data      STRING encoding byte, then the bytes
//   hearth:{blob:<digest>}:refs      SET   who needs the blob; while there is one, the blob does not expire
//   hearth:functions:changed         channel: names of functions that changed
//   hearth:{fn:<name>}:logs:more     channel: there are new log lines
//   hearth:lanes:cancelled           channel: lanes and ids of jobs that are to be stopped
//   hearth:records:changed           channel: ids, states, functions and triggers of records that were written
//   hearth:{trg:<name>}:settled      channel: ids of invocations of a trigger that became final
//   hearth:triggers:changed          channel: names of triggers that changed
//   hearth:{idem:<digest>}:settled   channel: it is no longer under way
import {
  deliveriesOf,
  type Digest,
  type FunctionName,
  type InvocationId,
  type LaneName,
  type TriggerName,
} from '#core/ids'
import type { RecordState } from '#core/record'

export type Keys = ReturnType<typeof keysWith>

export function keysWith(prefix: string) {
  return {
    functions: `${prefix}:functions`,
    functionsChanged: `${prefix}:functions:changed`,
    bells: `${prefix}:{lanes}:bells`,
    due: `${prefix}:{lanes}:due`,
    function: (name: FunctionName) => `${prefix}:{fn:${name}}:fn`,
    versions: (name: FunctionName) => `${prefix}:{fn:${name}}:versions`,
    /** The BullMQ queue of a lane: its keys are `prefix:name:…`. */
    queue: (lane: LaneName) => ({
      prefix: `${prefix}:{fn:${deliveriesOf(lane) ?? lane}}`,
      name: deliveriesOf(lane) === undefined ? 'lane' : 'deliveries',
    }),
    bodies: (lane: LaneName) =>
      `${prefix}:{fn:${deliveriesOf(lane) ?? lane}}:${deliveriesOf(lane) === undefined ? 'bodies' : 'delivery-bodies'}`,
    cancelled: `${prefix}:lanes:cancelled`,
    dead: (name: FunctionName) => `${prefix}:{fn:${name}}:dead`,
    deadFunctions: `${prefix}:dead`,
    deadLetters: (name: FunctionName) => `${prefix}:{fn:${name}}:dead:letters`,
    logs: (name: FunctionName) => `${prefix}:{fn:${name}}:logs`,
    moreLogs: (name: FunctionName) => `${prefix}:{fn:${name}}:logs:more`,
    /** The index of a function, of one state or all, or with undefined that of all functions. The writer appends the state in Lua. */
    records: (name: FunctionName | undefined, state?: RecordState) =>
      `${prefix}:${name === undefined ? '{all}' : `{fn:${name}}`}:records${state === undefined ? '' : `:${state}`}`,
    recordedFunctions: `${prefix}:{all}:functions`,
    recordsOfTrigger: (name: TriggerName) => `${prefix}:{trg:${name}}:records`,
    recordsChanged: `${prefix}:records:changed`,
    settled: (name: TriggerName) => `${prefix}:{trg:${name}}:settled`,
    triggers: `${prefix}:triggers`,
    triggersChanged: `${prefix}:triggers:changed`,
    triggerStatus: (name: TriggerName) => `${prefix}:{trg:${name}}:status`,
    triggerState: (name: TriggerName) => `${prefix}:{trg:${name}}:state`,
    triggerLeader: (name: TriggerName) => `${prefix}:{trg:${name}}:leader`,
    idempotencyKey: (digest: Digest) => `${prefix}:{idem:${digest}}:key`,
    idempotencyLease: (digest: Digest) => `${prefix}:{idem:${digest}}:lease`,
    idempotencySettled: (digest: Digest) => `${prefix}:{idem:${digest}}:settled`,
    record: (id: InvocationId) => `${prefix}:{rec:${shardOf(id)}}:record:${id}`,
    log: (id: InvocationId) => `${prefix}:{rec:${shardOf(id)}}:log:${id}`,
    blob: (digest: Digest) => `${prefix}:{blob:${digest}}:data`,
    blobRefs: (digest: Digest) => `${prefix}:{blob:${digest}}:refs`,
  }
}

/** Which of the 16 slots the record of an invocation is in. */
export function shardOf(id: InvocationId): string {
  return id.slice(-1)
}

/** Sorts before every UUIDv7 made at `at` or later: the first 48 bits of one are its time in ms. */
export function idFloor(at: number): string {
  const time = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}`
}
