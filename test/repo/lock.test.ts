import { describe, expect, it } from 'vitest'

import { missingEntries, type LockEntry } from '../../scripts/complete-lock.mjs'
import { textOf } from './sources.ts'

describe('package-lock.json', () => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, LockEntry> }

  it('has the optional packages of every platform, or "npm ci" refuses it (mend: node scripts/complete-lock.mjs)', () => {
    expect(Object.keys(missingEntries(packages))).toEqual([])
  })

  it('has the versions of package.json', () => {
    const manifest = JSON.parse(textOf('package.json')) as Record<string, Record<string, string>>
    const wanted = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(wanted.filter(([name, version]) => packages[`node_modules/${name}`]?.version !== version)).toEqual([])
  })
})

describe('missingEntries()', () => {
  it('adds what a locked package names as optional, with its platform', () => {
    const packages = { 'node_modules/a': { version: '1.0.0', optionalDependencies: { 'a-linux-x64-musl': '1.0.0' } } }
    expect(missingEntries(packages)).toEqual({
      'node_modules/a-linux-x64-musl': {
        version: '1.0.0',
        cpu: ['x64'],
        os: ['linux'],
        libc: ['musl'],
        optional: true,
      },
    })
  })

  it('leaves alone what is there, nested too', () => {
    const packages = {
      'node_modules/a': { optionalDependencies: { b: '1.0.0', c: '1.0.0' } },
      'node_modules/b': {},
      'node_modules/a/node_modules/c': {},
    }
    expect(missingEntries(packages)).toEqual({})
  })
})
