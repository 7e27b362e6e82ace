import { describe, expect, it } from 'vitest'

import { LOCK_PATHS, missingEntries, type LockEntry } from '../../scripts/complete-lock.mjs'
import { textOf } from './sources.ts'

describe.each(LOCK_PATHS)('%s', (path) => {
  const { packages } = JSON.parse(textOf(path)) as { packages: Record<string, LockEntry> }

  it('has the optional packages of every platform, or "npm ci" refuses it (mend: node scripts/complete-lock.mjs)', () => {
    expect(Object.keys(missingEntries(packages))).toEqual([])
  })

  it('has the versions of package.json', () => {
    const manifest = JSON.parse(textOf(path.replace('-lock', ''))) as Record<string, Record<string, string>>
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
      'node_modules/b': { version: '1.0.0' },
      'node_modules/a/node_modules/c': {},
    }
    expect(missingEntries(packages)).toEqual({})
  })

  it('puts a version beside its owner where another one has the place of all', () => {
    const packages = {
      'node_modules/a': { optionalDependencies: { 'a-darwin-x64': '2.0.0', b: '^1.0.0' } },
      'node_modules/a-darwin-x64': { version: '1.0.0' },
      'node_modules/b': { version: '1.2.3' },
    }
    const added = { version: '2.0.0', cpu: ['x64'], os: ['darwin'], optional: true }
    expect(missingEntries(packages)).toEqual({ 'node_modules/a/node_modules/a-darwin-x64': added })
  })
})
