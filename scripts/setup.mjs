#!/usr/bin/env node
// Makes a checkout ready to run: dependencies as locked, Node 26 among them. Runs before `npm start`, `npm test` and
// `npm run bench`, and from cli/hearth.mjs. Must itself run on Node 20 without any dependency. Starts nothing else.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const ROOT_DIR = dirname(dirname(fileURLToPath(import.meta.url)))
/** What runs TypeScript here: the `node` package of the lock file. */
export const NODE_PATH = join(ROOT_DIR, 'node_modules', 'node', 'bin', 'node')
const MINIMUM_NODE = 20
const NEEDED_NODE = 26

/** Why the checkout is not ready, or undefined when it is. `dev`: whether what only tests need counts too. */
export function missing(rootDir, { dev }) {
  const wanted = readLock(join(rootDir, 'package-lock.json'))
  if (wanted === undefined) return 'package-lock.json cannot be read'
  const installed = readLock(join(rootDir, 'node_modules', '.package-lock.json'))
  if (installed === undefined) return 'the dependencies are not installed'
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const found = installed[path]
    const mayLack = entry.optional || ((entry.dev || entry.devOptional) && !dev)
    if (found === undefined && mayLack) continue
    if (found?.version !== entry.version || found?.integrity !== entry.integrity) {
      return `${path} is not installed as package-lock.json says`
    }
  }
  return executable(join(rootDir, 'node_modules', 'node', 'bin', 'node'))
    ? undefined
    : 'node_modules/node has no program'
}

/** Installs what is missing. @returns whether the checkout is ready; when not, standard error says why */
export async function setup({ dev }) {
  const major = Number(process.versions.node.split('.')[0])
  if (major < MINIMUM_NODE) {
    return fail(`Hearth needs Node ${MINIMUM_NODE} or later to start: this is ${process.version} (${process.execPath}).
See https://nodejs.org/en/download.`)
  }
  const reason = missing(ROOT_DIR, { dev })
  if (reason === undefined) return true
  if (!(await install(reason))) return false
  const still = missing(ROOT_DIR, { dev })
  if (still !== undefined) {
    return fail(`"npm ci" ended well, but ${still}.
If install scripts are switched off (npm config get ignore-scripts), run: npm ci --ignore-scripts=false`)
  }
  return checkNode()
}

function checkNode() {
  const { stdout, stderr, error } = spawnSync(NODE_PATH, ['--version'], { encoding: 'utf8' })
  if (stdout?.startsWith(`v${NEEDED_NODE}.`)) return true
  return fail(`${NODE_PATH} must be Node ${NEEDED_NODE}: received ${(stdout || stderr || String(error)).trim()}
Hearth runs on Linux (glibc) and macOS, x64 and arm64.`)
}

/** `npm ci` with one line of progress; what npm said is shown when it fails. */
async function install(reason) {
  const started = performance.now()
  const live = process.stderr.isTTY
  const line = () =>
    `Installing dependencies with "npm ci": ${reason} … ${Math.round((performance.now() - started) / 1000)} s`
  process.stderr.write(live ? line() : `${line()}\n`)
  const ticker = setInterval(() => process.stderr.write(live ? `\r${line()}` : `${line()}\n`), live ? 1000 : 15_000)
  const { code, output } = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  clearInterval(ticker)
  if (live) process.stderr.write('\r\x1b[K')
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (code === 0) {
    process.stderr.write(`Installed dependencies in ${seconds} s\n`)
    return true
  }
  return fail(`"npm ci" failed after ${seconds} s (exit code ${code}) in ${ROOT_DIR}:
${output.trim()}
Check the network and the registry (npm config get registry), then run it again.`)
}

function run(command, args) {
  return new Promise((resolve) => {
    // Variables that the npm around us has set would make the inner npm install elsewhere or lint scripts oddly.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)/.test(name)))
    const child = spawn(command, args, { cwd: ROOT_DIR, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (bytes) => (output += bytes))
    child.stderr.on('data', (bytes) => (output += bytes))
    child.on('error', (error) => resolve({ code: 127, output: String(error) }))
    child.on('close', (code, signal) => resolve({ code: code ?? signal, output }))
  })
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  return false
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = (await setup({ dev: process.argv.includes('--test') })) ? 0 : 1
}
