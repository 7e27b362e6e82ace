// hearth ls: the functions and whether they are warm.
import { connect, type Client } from '../client.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit.ts'
import type { FunctionSummary } from '../functions.ts'
import { localTime, printJson, table } from '../output.ts'

export const ls: Command = {
  name: 'ls',
  summary: 'List the functions.',
  usage: '',
  minPositionals: 0,
  maxPositionals: 0,
  options: {},
  examples: [
    ['hearth ls', 'a table'],
    ['hearth ls --json', 'for a program'],
  ],
  async run({ values }, terminal) {
    const client = await connect(terminal)
    const functions = await allFunctions(client)
    if (values.json === true) printJson(terminal, functions)
    else if (functions.length === 0) terminal.err('no functions yet: "hearth deploy <path>" makes one\n')
    else
      terminal.out(
        table([['NAME', 'RUNTIME', 'VERSION', 'STATE', 'UPDATED', 'URL'], ...functions.map(row)], terminal.outColors),
      )
    return EXIT.ok
  },
}

async function allFunctions(client: Client): Promise<readonly FunctionSummary[]> {
  const functions: FunctionSummary[] = []
  let cursor: string | undefined = ''
  while (cursor !== undefined) {
    const response = await client.call(`/v1/functions?limit=1000&cursor=${encodeURIComponent(cursor)}`)
    const page = (await response.json()) as { functions: FunctionSummary[]; next?: string }
    functions.push(...page.functions)
    cursor = page.next
  }
  return functions
}

function row({ function: name, runtime, version, state, updatedAt, url }: FunctionSummary): string[] {
  return [name, runtime, String(version), state, localTime(updatedAt), url]
}
