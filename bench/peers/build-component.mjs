// usage: node build-component.mjs SOURCE OUTPUT: a component that exports wasi:http/incoming-handler (StarlingMonkey).
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { componentize } from '@bytecodealliance/componentize-js'

const WIT_PACKAGES = ['wasi-cli', 'wasi-clocks', 'wasi-filesystem', 'wasi-http', 'wasi-io', 'wasi-random', 'wasi-sockets']
const [source, output] = process.argv.slice(2)

// preview2-shim 0.26.1 no longer opens "/", and componentize reads its WIT through it.
const fromComponentize = createRequire(import.meta.resolve('@bytecodealliance/componentize-js'))
const shim = await import(pathToFileURL(fromComponentize.resolve('@bytecodealliance/preview2-shim/filesystem')).href)
shim._addPreopen('/', '/')

const wit = mkdtempSync(join(tmpdir(), 'hearth-peers-wit-'))
try {
  const builtin = join(dirname(new URL(import.meta.resolve('@bytecodealliance/jco')).pathname), '../lib/wit/builtin/0.2.12')
  for (const name of WIT_PACKAGES) {
    mkdirSync(join(wit, 'deps', name), { recursive: true })
    cpSync(join(builtin, name, 'package.wit'), join(wit, 'deps', name, 'package.wit'))
  }
  writeFileSync(join(wit, 'world.wit'), 'package hearth:peer;\nworld peer {\n  include wasi:http/proxy@0.2.12;\n}\n')
  const { component } = await componentize(readFileSync(source, 'utf8'), { witPath: wit, worldName: 'peer' })
  writeFileSync(output, component)
} finally {
  rmSync(wit, { recursive: true, force: true })
}
