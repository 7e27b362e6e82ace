// hearth deploy <path>: packs, uploads, shows the build as it goes.
import { SPEC_FIELDS } from '#core/spec-fields'

import { connect, type Client } from '../client.ts'
import { listValue, textValue, type Arguments, type Command, type Option, type Values } from '../command.ts'
import { bundle } from '../deploy/bundle.ts'
import { upload, type Deployed } from '../deploy/upload.ts'
import { watch } from '../deploy/watch.ts'
import { EXIT, usageError, type ExitCode } from '../exit.ts'
import { printJson } from '../output.ts'
import type { Terminal } from '../terminal.ts'

/** `memoryMiB` → `memory-mib`: one option for each field of the spec. */
const OPTION_OF_FIELD = new Map(
  Object.keys(SPEC_FIELDS).map((field) => [
    field,
    field.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, '-$&').toLowerCase(),
  ]),
)

const specOptions = Object.fromEntries(
  Object.entries(SPEC_FIELDS).map(([field, { type, description }]): [string, Option] => [
    OPTION_OF_FIELD.get(field) ?? field,
    {
      type: 'string',
      multiple: type === 'map' || type === 'list',
      value: type === 'map' ? 'NAME=VALUE' : type === 'integer' ? 'N' : 'VALUE',
      description,
      ...(field === 'env' ? { short: 'e' } : {}),
    },
  ]),
)

export const deploy: Command = {
  name: 'deploy',
  summary: 'Deploy a file or folder as a function. The name comes from the path, the runtime from the code.',
  usage: '<path>',
  minPositionals: 1,
  maxPositionals: 1,
  options: {
    name: { type: 'string', short: 'n', value: 'NAME', description: 'Name of the function.' },
    watch: { type: 'boolean', short: 'w', description: 'Deploy again whenever a file changes.' },
    ...specOptions,
  },
  examples: [
    ['hearth deploy functions/hello-js', 'a folder; no configuration needed'],
    ['hearth deploy hello.py --name greet', 'one file under another name'],
    ['hearth deploy api -e STAGE=test --timeout-ms 5000', 'with environment and a limit'],
    ['hearth deploy api --watch', 'again at every change'],
  ],
  async run(args, terminal) {
    const client = await connect(terminal)
    if (args.values.watch !== true) return once(args, client, terminal)
    return watch(args.positionals[0] ?? '.', terminal, () => once(args, client, terminal))
  },
}

async function once(
  { positionals: [path = '.'], values }: Arguments,
  client: Client,
  terminal: Terminal,
): Promise<ExitCode> {
  const packed = await bundle(path, specOf(values))
  const deployed = await upload(client, { ...packed, name: textValue(values, 'name') ?? packed.name }, terminal)
  if (values.json === true) printJson(terminal, deployed)
  else terminal.out(describe(deployed, terminal))
  return EXIT.ok
}

function describe({ function: name, version, created, url }: Deployed, { outColors: colors }: Terminal): string {
  const done = created ? `deployed version ${version}` : `unchanged: version ${version} is live already`
  return `${colors.green('✓')} ${colors.bold(name)} ${done}\n  ${url}\n`
}

/** Only what was given; values stay text, for the server checks them. */
function specOf(values: Values): Record<string, unknown> {
  const spec: Record<string, unknown> = {}
  for (const [field, option] of OPTION_OF_FIELD) {
    if (values[option] === undefined) continue
    if (field === 'env') spec.env = Object.fromEntries(listValue(values, option).map(pair))
    else spec[field] = field === 'egress' ? listValue(values, option) : values[option]
  }
  return spec
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw usageError(`--env must be NAME=VALUE: received ${JSON.stringify(text)}`)
}
