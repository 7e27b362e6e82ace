import { spawnSync } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { tempDir } from '#test/temp-dir'

import { missing, ROOT_DIR } from '../../scripts/setup.mjs'

const NODE = 'node_modules/node/bin/node'

interface Entry {
  readonly version: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly optional?: boolean
}

async function checkout(wanted: Record<string, Entry>, installed: Record<string, Entry> | undefined) {
  const dir = await tempDir({
    'package-lock.json': JSON.stringify({ packages: { '': { name: 'hearth' }, ...wanted } }),
    [NODE]: '#!/bin/sh',
    ...(installed && { 'node_modules/.package-lock.json': JSON.stringify({ packages: installed }) }),
  })
  await chmod(join(dir.path, NODE), 0o755)
  return dir
}

const A = { version: '1.0.0', integrity: 'sha512-a' }

describe('missing()', () => {
  it('finds nothing when what is installed is what the lock says', async () => {
    await using dir = await checkout({ 'node_modules/a': A }, { 'node_modules/a': A, 'node_modules/extra': A })
    expect(missing(dir.path, { dev: true })).toBe(undefined)
  })

  it('lets optional packages of other platforms be absent', async () => {
    await using dir = await checkout({ 'node_modules/a': { ...A, optional: true } }, {})
    expect(missing(dir.path, { dev: true })).toBe(undefined)
  })

  it('wants what only tests need only for tests', async () => {
    await using dir = await checkout({ 'node_modules/a': { ...A, dev: true } }, {})
    expect(missing(dir.path, { dev: false })).toBe(undefined)
    expect(missing(dir.path, { dev: true })).toContain('node_modules/a is not installed')
  })

  it.each([
    ['another version', { ...A, version: '2.0.0' }],
    ['another content', { ...A, integrity: 'sha512-b' }],
  ])('finds %s', async (_, installed) => {
    await using dir = await checkout({ 'node_modules/a': A }, { 'node_modules/a': installed })
    expect(missing(dir.path, { dev: false })).toContain('node_modules/a is not installed as package-lock.json says')
  })

  it('finds that nothing is installed', async () => {
    await using dir = await checkout({ 'node_modules/a': A }, undefined)
    expect(missing(dir.path, { dev: false })).toBe('the dependencies are not installed')
  })

  it('finds that the install script of node did not run', async () => {
    await using dir = await checkout({}, {})
    await chmod(join(dir.path, NODE), 0o644)
    expect(missing(dir.path, { dev: false })).toBe('node_modules/node has no program')
  })
})

describe('setup.mjs', () => {
  it('says nothing when there is nothing to do', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs', '--test'], {
      cwd: ROOT_DIR,
      encoding: 'utf8',
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
