// The `npm test` command: runs with vitest everything that this machine can run, and says plainly what it could not
// and why. HEARTH_TEST_REQUIRE=all makes whatever is missing or skipped a failure. Starts no daemon of the system.
// Arguments go to vitest: npm test -- test/core
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

import { findParts } from './test-parts.mjs'
import { ROOT_DIR } from './setup.mjs'
import { failuresOf, summarize } from './test-summary.mjs'

const requireAll = process.env.HEARTH_TEST_REQUIRE === 'all'
const parts = await findParts()
const off = parts.filter((part) => !part.on)

console.log('What this machine can run:')
for (const part of parts) console.log(`  ${part.name}: ${part.on ? part.detail : `NOT HERE — ${part.detail}`}`)
if (requireAll && off.length > 0) {
  console.log(`HEARTH_TEST_REQUIRE=all, but missing: ${off.map((part) => part.name).join(', ')}\n`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}

const report = await runVitest(process.argv.slice(2))
const summary = summarize(report, (path) => relative(ROOT_DIR, path))
const problems = failuresOf(summary, { requireAll })

console.log('\nWhat ran:')
for (const line of summary.lines) console.log(`  ${line}`)
for (const part of off) console.log(`  NOT RUN: what needs ${part.name} — ${part.detail}`)
for (const test of summary.notApplicable) console.log(`  not applicable: ${test}`)
for (const skipped of summary.skipped) console.log(`  skipped: ${skipped}`)
for (const problem of problems) console.log(`  PROBLEM: ${problem}`)
console.log(`${summary.passed} passed, ${summary.failed + problems.length} failed`)
process.exitCode = summary.failed + problems.length === 0 ? 0 : 1

/** @returns vitest's JSON report; undefined when it wrote none */
async function runVitest(args) {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-test-'))
  const reportPath = join(dir, 'report.json')
  const env = { ...process.env }
  for (const part of parts) Object.assign(env, part.env)
  // Settings of the developer's own instance must not reach the tests.
  for (const name of Object.keys(env))
    if (name.startsWith('HEARTH_') && !name.startsWith('HEARTH_TEST_')) delete env[name]
  const argv = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`, ...args]
  for (const part of off) for (const pattern of part.files) argv.push('--exclude', pattern)
  const vitest = spawn(process.execPath, [join(ROOT_DIR, 'node_modules/vitest/vitest.mjs'), ...argv], {
    cwd: ROOT_DIR,
    env,
    stdio: 'inherit',
  })
  await new Promise((resolve) => vitest.on('close', resolve))
  try {
    return JSON.parse(await readFile(reportPath, 'utf8'))
  } catch {
    return undefined
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
