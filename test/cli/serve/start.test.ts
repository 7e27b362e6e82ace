// What a start checks and keeps before there is a platform: the lock, the token, the address, the socket directory.
import { once } from 'node:events'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { writeInstance } from '#cli/instance'
import { lockDataDir } from '#cli/serve/lock'
import { checkAddress } from '#cli/serve/port'
import { openRuntimeDir } from '#cli/serve/runtime-dir'
import { adminToken } from '#cli/serve/token'
import { tempDir } from '#test/temp-dir'

describe('lockDataDir()', () => {
  it('makes the directory for its owner only, and lets one in at a time', async () => {
    await using dir = await tempDir()
    const dataDir = join(dir.path, 'deep', 'data')
    {
      using _lock = await lockDataDir(dataDir)
      expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
      await expect(lockDataDir(dataDir)).rejects.toThrow(`the data directory ${dataDir} is in use by another process`)
      await using _instance = await writeInstance(dataDir, { url: 'http://127.0.0.1:1', pid: process.pid })
      await expect(lockDataDir(dataDir)).rejects.toThrow(`in use by process ${process.pid} at http://127.0.0.1:1`)
    }
    using _again = await lockDataDir(dataDir)
  })

  it('says when the directory cannot be made', async () => {
    await using dir = await tempDir({ file: '' })
    await expect(lockDataDir(join(dir.path, 'file'))).rejects.toThrow('cannot be used')
  })
})

describe('adminToken()', () => {
  it('makes one on the first start and keeps it', async () => {
    await using dir = await tempDir()
    const first = await adminToken({ adminToken: '', dataDir: dir.path })
    expect(first.token).toMatch(/^[\w-]{43}$/)
    expect(await adminToken({ adminToken: '', dataDir: dir.path })).toEqual(first)
    expect((await stat(join(dir.path, 'admin-token'))).mode & 0o777).toBe(0o600)
  })

  it('takes read rights of others away from a file that has them', async () => {
    await using dir = await tempDir({ 'admin-token': 'kept\n' })
    await chmod(join(dir.path, 'admin-token'), 0o644)
    expect((await adminToken({ adminToken: '', dataDir: dir.path })).token).toBe('kept')
    expect((await stat(join(dir.path, 'admin-token'))).mode & 0o777).toBe(0o600)
  })

  it('writes one that was given nowhere', async () => {
    await using dir = await tempDir()
    expect(await adminToken({ adminToken: 'given', dataDir: dir.path })).toEqual({ token: 'given', path: undefined })
    await expect(readFile(join(dir.path, 'admin-token'))).rejects.toThrow('ENOENT')
  })
})

describe('checkAddress()', () => {
  it('names the setting when the port is in use, and leaves a free one free', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await expect(checkAddress('127.0.0.1', port)).rejects.toMatchObject({
      message: `port ${port} of 127.0.0.1 is in use by another program`,
      hint: expect.stringContaining('HEARTH_PORT'),
    })
    server.close()
    await once(server, 'close')
    await checkAddress('127.0.0.1', port)
    await checkAddress('127.0.0.1', port)
  })

  it('names the setting when the address is none of this machine', async () => {
    await expect(checkAddress('192.0.2.1', 0)).rejects.toMatchObject({ hint: expect.stringContaining('HEARTH_HOST') })
  })
})

describe('openRuntimeDir()', () => {
  it('is the same for every start on a data directory, and goes with the process', async () => {
    await using dir = await tempDir()
    const env = { XDG_RUNTIME_DIR: dir.path }
    const first = await openRuntimeDir('/data/one', env)
    await writeFile(join(first.path, 'left'), '')
    const second = await openRuntimeDir('/data/one', env)
    const other = await openRuntimeDir('/data/two', env)
    expect(second.path).toBe(first.path)
    expect(other.path).not.toBe(first.path)
    await first[Symbol.asyncDispose]()
    await expect(stat(first.path)).rejects.toThrow('ENOENT')
  })

  it('refuses a directory that others can enter', async () => {
    await using dir = await tempDir()
    const env = { XDG_RUNTIME_DIR: dir.path }
    const { path, ...owned } = await openRuntimeDir('/data/one', env)
    await owned[Symbol.asyncDispose]()
    await mkdir(path, { mode: 0o777 })
    await chmod(path, 0o777)
    await expect(openRuntimeDir('/data/one', env)).rejects.toThrow('only this user can enter')
  })
})
