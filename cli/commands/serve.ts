// hearth serve: the whole platform in one process.
import { readConfig } from '#core/config'

import { machine } from '../client.ts'
import type { Command } from '../command.ts'
import { serveUntilTold } from '../serve/serve.ts'

export const serve: Command = {
  name: 'serve',
  summary: 'Start Hearth: gateway, invoker and store in one process, until Ctrl-C.',
  usage: '',
  minPositionals: 0,
  maxPositionals: 0,
  options: {},
  examples: [
    ['hearth serve', 'on 127.0.0.1:8787, with the data in .hearth of the checkout'],
    ['HEARTH_PORT=8788 HEARTH_DATA_DIR=/tmp/second hearth serve', 'another one beside it'],
    ['hearth serve --json', 'one line of JSON when it is ready, for scripts'],
  ],
  run({ values }, terminal) {
    const facts = machine(terminal.env)
    const config = readConfig(terminal.env, facts)
    return serveUntilTold({ config, terminal, rootDir: facts.rootDir, json: values.json === true })
  },
}
