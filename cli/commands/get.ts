// hearth get <name>: everything about one function.
import { systemClock } from '#core/clock'

import { connect } from '../client.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit.ts'
import type { FunctionStatus, VersionSummary } from '../functions.ts'
import { ago, fields, localTime, milliseconds, printJson, table } from '../output.ts'
import type { Colors } from '../terminal.ts'

export const get: Command = {
  name: 'get',
  summary: 'Show a function: state, sandboxes, starts, spec, versions.',
  usage: '<name>',
  minPositionals: 1,
  maxPositionals: 1,
  options: {},
  examples: [['hearth get hello-js', 'everything about one function']],
  async run({ positionals: [name = ''], values }, terminal) {
    const client = await connect(terminal)
    const path = `/v1/functions/${encodeURIComponent(name)}`
    const [status, { versions }] = await Promise.all([
      client.call(path).then((response) => response.json() as Promise<FunctionStatus>),
      client.call(`${path}/versions`).then((response) => response.json() as Promise<{ versions: VersionSummary[] }>),
    ])
    if (values.json === true) printJson(terminal, { ...status, versions })
    else terminal.out(describe(status, versions, terminal.outColors))
    return EXIT.ok
  },
}

function describe(status: FunctionStatus, versions: readonly VersionSummary[], colors: Colors): string {
  const { sandboxes, memory, wakes, notHibernated, starts, lastStarts, spec, keepAlive, latency } = status
  const last = lastStarts
    .toReversed()
    .map(({ kind, startMs }) => `${kind}${startMs === 0 ? '' : ` ${milliseconds(startMs)}`}`)
  const set = Object.entries(spec).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [
    fields(
      [
        ['name', colors.bold(status.function)],
        ['url', status.url],
        ['state', status.state],
        ['sandboxes', counts(sandboxes)],
        ['memory', memoryOf(memory)],
        ['wakes', wakesOf(wakes)],
        ...(notHibernated === undefined ? [] : [['not hibernated', notHibernated] as const]),
        ['waiting', `${status.waiting} for room`],
        ['queue', queueText(status.lane)],
        ['starts', counts(starts)],
        ['last', last.join(', ') || '-'],
        ['keep-alive', `${keepAlive.basis}: ${keepAlive.why}`],
        ...(latency === undefined
          ? []
          : [['latency', `${latency.verdict} ${latency.targetMs} ms: ${latency.why}`] as const]),
        ['spec', set.join(' ')],
      ],
      colors,
    ),
    table(
      [['VERSION', 'DEPLOYED', 'FILES', 'DIGEST'], ...versions.map((version) => versionRow(version, status.version))],
      colors,
    ),
  ].join('\n')
}

function queueText({ waiting, delayed, running, oldestAt, deadLetters }: FunctionStatus['lane']): string {
  const oldest = oldestAt === undefined ? '' : ` (the oldest for ${ago(oldestAt, systemClock.now())})`
  return `${waiting} waiting${oldest}, ${delayed} delayed, ${running} running, ${deadLetters} dead letters`
}

function versionRow({ version, createdAt, files, digest }: VersionSummary, live: number): string[] {
  return [
    `${version}${version === live ? ' live' : ''}`,
    localTime(createdAt),
    String(files.length),
    digest.slice(0, 12),
  ]
}

function memoryOf(memory: FunctionStatus['memory']): string {
  const each = Object.entries(memory).map(([state, { countedMiB, residentBytes }]) => {
    const held = residentBytes === undefined ? '' : `, holds ${(residentBytes / 1024 ** 2).toFixed(1)} MiB`
    return `${state} ${countedMiB} MiB${held}`
  })
  return each.join('; ') || '-'
}

function wakesOf(wakes: FunctionStatus['wakes']): string {
  const each = Object.entries(wakes).map(
    ([from, { count, lastMs, medianMs }]) =>
      `${count} from ${from}, median ${milliseconds(medianMs)}, last ${milliseconds(lastMs)}`,
  )
  return each.join('; ') || '-'
}

function counts(of: object): string {
  return Object.entries(of)
    .map(([key, count]) => `${count} ${key}`)
    .join(', ')
}
