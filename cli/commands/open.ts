// hearth open [name]: shows the URL of a function or of the API page, and opens it where there is a desktop.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { connect } from '../client.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { printJson } from '../output.ts'

export const open: Command = {
  name: 'open',
  summary: 'Print the URL of a function, or of the API page, and open it in the browser.',
  usage: '[name]',
  minPositionals: 0,
  maxPositionals: 1,
  options: { print: { type: 'boolean', short: 'p', description: 'Only print it.' } },
  examples: [
    ['hearth open', 'the API page'],
    ['hearth open hello-js', 'the function'],
  ],
  async run({ positionals: [name], values }, terminal) {
    const client = await connect(terminal)
    if (name !== undefined) await client.call(`/v1/functions/${encodeURIComponent(name)}`)
    const url = name === undefined ? `${client.url}/docs` : `${client.url}/fn/${name}`
    if (values.json === true) printJson(terminal, { url })
    else terminal.out(`${url}\n`)
    if (values.print !== true && values.json !== true && terminal.live) await openBrowser(url)
    return EXIT.ok
  },
}

/** Does nothing where there is no desktop: the URL has been printed. */
async function openBrowser(url: string): Promise<void> {
  const opener = spawn(process.platform === 'darwin' ? 'open' : 'xdg-open', [url], { stdio: 'ignore', detached: true })
  opener.unref()
  await Promise.race([once(opener, 'spawn'), once(opener, 'error')]).catch(() => {})
}
