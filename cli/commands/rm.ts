// hearth rm <name>: removes a function with its versions.
import { connect } from '../client.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { printJson } from '../output.ts'

export const rm: Command = {
  name: 'rm',
  summary: 'Remove a function, its versions and what waits in its queue.',
  usage: '<name>',
  minPositionals: 1,
  maxPositionals: 1,
  options: {},
  examples: [['hearth rm hello-js', 'calls that run finish; new ones get 404']],
  async run({ positionals: [name = ''], values }, terminal) {
    const client = await connect(terminal)
    await client.call(`/v1/functions/${encodeURIComponent(name)}`, { method: 'DELETE' })
    if (values.json === true) printJson(terminal, { name, removed: true })
    else terminal.out(`${terminal.outColors.green('✓')} removed ${name}\n`)
    return EXIT.ok
  },
}
