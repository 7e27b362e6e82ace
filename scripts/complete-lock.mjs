// Adds to the lock files the optional packages of other platforms that npm left out because the registry at hand did
// not have them. Without them `npm ci` refuses the lock, here and everywhere. Run it after `npm install` where
// test/repo/lock.test.ts asks for it. What it adds has no integrity: only the platform concerned would download it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { ROOT_DIR } from './setup.mjs'

/** Of the project, and of the peers of the benchmarks. */
export const LOCK_PATHS = ['package-lock.json', 'bench/peers/package-lock.json']

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

/** Entries by path for what `optionalDependencies` of locked packages name and the lock does not have. */
export function missingEntries(packages) {
  const added = {}
  for (const [owner, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`
      const nested = `${owner}/${path}`
      const hoisted = packages[path]
      if (packages[nested] !== undefined || (hoisted !== undefined && fits(hoisted, version))) continue
      added[hoisted === undefined ? path : nested] = {
        version,
        ...(dev && { dev }),
        ...platformOf(name),
        optional: true,
      }
    }
  }
  return added
}

/** A range is npm's to judge: what it has hoisted fits. */
function fits(hoisted, wanted) {
  return hoisted.version === wanted || !/^\d+\.\d+\.\d+$/.test(wanted)
}

function complete(path) {
  const lock = JSON.parse(readFileSync(path, 'utf8'))
  const added = missingEntries(lock.packages)
  const sorted = Object.entries({ ...lock.packages, ...added }).toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, undefined, 2)}\n`)
  console.log(`${path}: added ${Object.keys(added).length} packages`)
}

function platformOf(name) {
  const parts = name.split(/[/-]/)
  const os = OS.filter((known) => parts.includes(known))
  const cpu = CPU.filter((known) => parts.includes(known))
  const libc = parts.includes('musl') ? ['musl'] : parts.includes('gnu') ? ['glibc'] : []
  return { ...(cpu.length > 0 && { cpu }), ...(os.length > 0 && { os }), ...(libc.length > 0 && { libc }) }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const lockPath of LOCK_PATHS) complete(join(ROOT_DIR, lockPath))
}
