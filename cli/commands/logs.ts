// hearth logs <name>: what a function wrote; -f stays and shows what comes.
import type { StoredLogLine } from '#core/record'

import { connect } from '../client.ts'
import { integerValue, type Command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { localTime } from '../output.ts'
import type { Terminal } from '../terminal.ts'

export const logs: Command = {
  name: 'logs',
  summary: 'Show what a function wrote to standard output and standard error.',
  usage: '<name>',
  minPositionals: 1,
  maxPositionals: 1,
  options: {
    follow: { type: 'boolean', short: 'f', description: 'Stay and show lines as they come, until Ctrl-C.' },
    lines: { type: 'string', short: 'n', value: 'N', description: 'How many of the newest lines. Default: 100.' },
  },
  examples: [
    ['hearth logs hello-js', 'the newest 100 lines'],
    ['hearth logs hello-js -f', 'and those that come'],
    ['hearth logs hello-js --json', 'one JSON object per line'],
  ],
  async run({ positionals: [name = ''], values }, terminal) {
    const client = await connect(terminal)
    const path = `/v1/functions/${encodeURIComponent(name)}/logs`
    const show = values.json === true ? showJson : showText
    const limit = integerValue(values, 'lines', 100)
    if (values.follow !== true) {
      const { lines } = (await (await client.call(`${path}?limit=${limit}`)).json()) as { lines: StoredLogLine[] }
      for (const line of lines) show(line, terminal)
      return EXIT.ok
    }
    for await (const line of client.follow(`${path}?follow=true&limit=${limit}`)) show(line as StoredLogLine, terminal)
    return EXIT.ok
  },
}

export function showText({ at, stream, text, invocation }: StoredLogLine, { out, outColors: colors }: Terminal): void {
  const shown = stream === 'stderr' ? colors.yellow(text) : text
  // The end of a UUIDv7 is its random part: what tells two invocations of the same moment apart.
  out(`${colors.dim(`${localTime(at)} ${invocation.slice(-8)}`)} ${shown}\n`)
}

function showJson(line: StoredLogLine, { out }: Terminal): void {
  out(`${JSON.stringify(line)}\n`)
}
