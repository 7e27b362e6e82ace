'use strict'
// Finds the entry of a function among its files, and what it exports.
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

const { failureOf } = require('./call.cjs')
const { CODE_DIR } = require('./pack.cjs')
const { describe } = require('./web.cjs')

const EXTENSIONS = ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts']
const NAMES = ['index', 'main', 'handler', 'app']
const CONDITIONS = ['node', 'import', 'module-sync', 'require', 'default']

/** Where the function is: `{ file, exportName }`, without a name where the conventions say. */
function findEntry(handlerName) {
  return handlerName === '' ? { file: conventionalEntry() } : namedEntry(handlerName)
}

/**
 * Imports the function.
 * @returns `{ style: 'fetch' | 'event', handler }`
 */
async function importFunction({ file, exportName }) {
  const namespace = await import(pathToFileURL(file))
  return exportName === undefined
    ? chooseExport(namespace, path.basename(file))
    : chooseNamed(namespace, exportName, path.basename(file))
}

function namedEntry(handlerName) {
  const dot = handlerName.lastIndexOf('.')
  const base = path.join(CODE_DIR, handlerName.slice(0, dot))
  const file = [base, ...EXTENSIONS.map((extension) => base + extension)].find(isFile)
  if (file === undefined) {
    throw new Error(
      `handler ${handlerName}: no file ${handlerName.slice(0, dot)} with an extension of ${EXTENSIONS.join(' ')}`,
    )
  }
  return { file, exportName: handlerName.slice(dot + 1) }
}

function conventionalEntry() {
  const stated = packageEntry()
  const bases = stated === undefined ? [] : [stated, ...EXTENSIONS.map((extension) => stated + extension)]
  for (const name of stated === undefined ? NAMES : [path.join(stated, 'index')]) {
    bases.push(...EXTENSIONS.map((extension) => name + extension))
  }
  const file = bases.map((base) => path.join(CODE_DIR, base)).find(isFile)
  if (file !== undefined) return file
  if (stated !== undefined) throw new Error(`package.json names ${stated} as its entry: there is no such file`)
  const only = fs.readdirSync(CODE_DIR).filter((name) => EXTENSIONS.includes(path.extname(name)))
  if (only.length === 1) return path.join(CODE_DIR, only[0])
  throw new Error(
    `no entry: expected package.json with "main" or "exports", or one of ${NAMES.join(', ')} with an extension of ${EXTENSIONS.join(' ')}`,
  )
}

function packageEntry() {
  const file = path.join(CODE_DIR, 'package.json')
  if (!isFile(file)) return undefined
  const { exports, main } = JSON.parse(fs.readFileSync(file, 'utf8'))
  let target = exports?.['.'] ?? exports
  while (typeof target === 'object' && target !== null) {
    target = Array.isArray(target) ? target[0] : target[CONDITIONS.find((condition) => condition in target)]
  }
  return [target, main].find((entry) => typeof entry === 'string' && entry !== '')
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
}

function chooseExport(namespace, fileName) {
  for (const candidate of [namespace.default, namespace.default?.default, namespace]) {
    if (typeof candidate?.fetch === 'function') return { style: 'fetch', handler: candidate.fetch.bind(candidate) }
    if (typeof candidate === 'function') return { style: 'fetch', handler: candidate }
    if (typeof candidate?.handler === 'function') return { style: 'event', handler: candidate.handler.bind(undefined) }
  }
  const names = Object.keys(namespace).join(', ') || 'nothing'
  throw new Error(`${fileName} must export default a fetch handler, or a function named handler: it exports ${names}`)
}

function chooseNamed(namespace, exportName, fileName) {
  const value = namespace[exportName] ?? namespace.default?.[exportName]
  if (exportName === 'default') return chooseExport({ default: value }, fileName)
  if (typeof value?.fetch === 'function') return { style: 'fetch', handler: value.fetch.bind(value) }
  if (typeof value === 'function') return { style: exportName === 'fetch' ? 'fetch' : 'event', handler: value }
  throw new Error(`${fileName} must export a function named ${exportName}: received ${describe(value)}`)
}

/** A failed load as LoadResult (invoker/sandbox/driver.ts), with the place in the user's code when it is known. */
function failedLoad(error, file) {
  const failure = failureOf(error)
  const place = placeOf(failure.stack ?? '') ?? (error instanceof SyntaxError ? placeOf(uncaught(file)) : undefined)
  const diagnostic = { message: `${failure.type}: ${failure.message.split('\n')[0]}`, ...place }
  return { loaded: false, failure, diagnostic }
}

/** For syntax errors in modules, Node tells the place only when it ends by them; nothing of the module has run then. */
function uncaught(file) {
  return file === undefined ? '' : spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 5000 }).stderr
}

/** A syntax error has its place in the first line, "file:///fn/a.mjs:3"; others in their frames, "(/fn/a.cjs:3:7)". */
function placeOf(stack) {
  const match = /(?:file:\/\/)?\/fn\/([^\n:()]+):(\d+)(?::(\d+))?/.exec(stack)
  if (match === null) return undefined
  const [, file, line, column] = match
  const source = path.join(CODE_DIR, file)
  const excerpt = isFile(source) ? fs.readFileSync(source, 'utf8').split('\n')[Number(line) - 1] : undefined
  return {
    file,
    line: Number(line),
    ...(column === undefined ? {} : { column: Number(column) }),
    ...(excerpt === undefined ? {} : { excerpt: excerpt.slice(0, 500) }),
  }
}

module.exports = { findEntry, importFunction, failedLoad }
