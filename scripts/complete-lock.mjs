// Adds to package-lock.json the optional packages of other platforms that npm left out because the registry at hand did
// not have them. Without them `npm ci` refuses the lock, here and everywhere. Run it after `npm install` where
// test/repo/lock.test.ts asks for it. What it adds has no integrity: only the platform concerned would download it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { ROOT_DIR } from './setup.mjs'

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

/** Entries by path for what `optionalDependencies` of locked packages name and the lock does not have. */
export function missingEntries(packages) {
  const added = {}
  for (const [owner, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`
      if (packages[path] !== undefined || packages[`${owner}/${path}`] !== undefined) continue
      added[path] = { version, ...(dev && { dev }), ...platformOf(name), optional: true }
    }
  }
  return added
}

function platformOf(name) {
  const parts = name.split(/[/-]/)
  const os = OS.filter((known) => parts.includes(known))
  const cpu = CPU.filter((known) => parts.includes(known))
  const libc = parts.includes('musl') ? ['musl'] : parts.includes('gnu') ? ['glibc'] : []
  return { ...(cpu.length > 0 && { cpu }), ...(os.length > 0 && { os }), ...(libc.length > 0 && { libc }) }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const path = join(ROOT_DIR, 'package-lock.json')
  const lock = JSON.parse(readFileSync(path, 'utf8'))
  const added = missingEntries(lock.packages)
  const sorted = Object.entries({ ...lock.packages, ...added }).toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, undefined, 2)}\n`)
  console.log(`added ${Object.keys(added).length} packages`)
}
