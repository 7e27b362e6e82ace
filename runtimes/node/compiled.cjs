'use strict'
// What V8 has made of the function's modules, so that other sandboxes need not: Node's compile cache, which comes and goes
// with the code. Node looks whether an entry fits the source, and V8 whether it fits the engine; else it is ignored.
const fs = require('node:fs')
const module_ = require('node:module')
const path = require('node:path')

const { CODE_DIR, packOf } = require('./pack.cjs')

const DIR = '.hearth/compiled'
const TARGET = path.join(CODE_DIR, DIR)

function hasCompiled() {
  return fs.existsSync(TARGET)
}

function keepCompiled() {
  module_.enableCompileCache(TARGET)
}

/** All entries, as they are to be among the files of the code. */
function compiledPack() {
  module_.flushCompileCache()
  const files = []
  for (const entry of fs.readdirSync(TARGET, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    files.push([path.relative(CODE_DIR, file), fs.readFileSync(file)])
  }
  return packOf(files.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

module.exports = { hasCompiled, keepCompiled, compiledPack }
