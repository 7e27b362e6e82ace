// npm run build: assembly/handler.as → main.wasm, a component of a few KB.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools'
import { main as compile } from 'assemblyscript/asc'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
let core
const { error } = await compile(
  'handler.ts --outFile core.wasm --optimize --runtime stub --use abort= --transform'
    .split(' ')
    .concat(here('export-handler.mjs')),
  {
    // AssemblyScript is not TypeScript: its own ending keeps editors from reading it as such.
    readFile: (name) => (name === 'handler.ts' ? readFileSync(here('assembly/handler.as'), 'utf8') : null),
    stderr: process.stderr,
    writeFile: (_name, contents) => {
      core = contents
    },
  },
)
if (error !== null) throw error
const witSource = readFileSync(here('wit/world.wit'), 'utf8')
const embedded = await componentEmbed({ binary: core, witSource, world: 'hello' })
const component = await componentNew(embedded, [])
await writeFile(here('main.wasm'), component)
console.log(`main.wasm: ${component.length} bytes`)
