import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

import { parseRedisUrl } from '#store/connect'
import { findRedis, type FoundRedis } from '#store/server/find'
import { findOnPath, runProgram } from '#store/server/run'

import { eventually } from '../samples.ts'

/** How long it takes to load depends on the machine. */
function isRemarkable(message: string): boolean {
  return message !== 'Redis loads its data'
}

/** The redis folder of a data directory: what is in it, and the server's pid. */
async function withDirs(run: (dirs: { dataDir: string; cacheDir: string; redisDir: string }) => Promise<void>) {
  const dir = await mkdtemp(join(tmpdir(), 'hearth-find-'))
  try {
    const dirs = { dataDir: join(dir, 'data'), cacheDir: join(dir, 'cache'), redisDir: join(dir, 'data/redis') }
    await run(dirs)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function find(dirs: { dataDir: string; cacheDir: string }, messages: string[] = []): Promise<FoundRedis> {
  const signal = AbortSignal.timeout(100_000)
  return findRedis({ ...dirs, onProgress: (message) => messages.push(message), signal })
}

async function command(url: string, ...args: [string, ...string[]]): Promise<unknown> {
  const redis = new Redis(parseRedisUrl(url))
  redis.on('error', () => {})
  try {
    const [name, ...rest] = args
    return await redis.call(name, ...rest)
  } finally {
    redis.disconnect()
  }
}

async function pidIn(redisDir: string): Promise<number> {
  return Number(await readFile(join(redisDir, 'redis.pid'), 'utf8'))
}

/** A dead one that nobody has waited for has no command line any more. */
async function isAlive(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== ''
}

/** The tests change what is found on the PATH. */
async function withEnvironment(changes: Record<string, string>, run: () => Promise<void>): Promise<void> {
  const before = Object.keys(changes).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, changes)
  try {
    await run()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** An image that is on the list of those looked for, made of the redis-server of this machine. */
async function importImage(dir: string): Promise<void> {
  const server = (await findOnPath(['redis-server']))!
  const signal = AbortSignal.timeout(60_000)
  const libraries = (await runProgram('ldd', [server], { signal })).match(/\/\S+/g) ?? []
  await mkdir(join(dir, 'usr/bin'), { recursive: true })
  await cp(server, join(dir, 'usr/bin/redis-server'), { dereference: true })
  for (const library of libraries) await cp(library, join(dir, library), { dereference: true })
  const archive = `${dir}.tar`
  await runProgram('tar', ['-C', dir, '-cf', archive, '.'], { signal })
  await runProgram('docker', ['import', archive, IMAGE], { signal })
}

/** Everything of the PATH but Redis and Docker. */
async function pathWithoutRedis(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const from of ['/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
    for (const name of await readdir(from).catch(() => [])) {
      if (!/^(?:redis|valkey|docker)/.test(name)) await symlink(join(from, name), join(dir, name)).catch(() => {})
    }
  }
  return dir
}

test('a URL that is given is taken, and nothing is started', () =>
  withDirs(async (dirs) => {
    const signal = AbortSignal.timeout(5_000)
    const found = await findRedis({ ...dirs, url: 'redis://u:secret@host:7/1', onProgress: () => {}, signal })
    expect(found).toMatchObject({ url: 'redis://u:secret@host:7/1', detail: 'host:7, database 1' })
    await found[Symbol.asyncDispose]()
    expect(existsSync(dirs.dataDir)).toBe(false)
  }))

test('a private server keeps its data over a restart and leaves no process and no socket behind', () =>
  withDirs(async (dirs) => {
    const first = await find(dirs)
    expect(first.detail).toMatch(/^private .*(?:redis|valkey)-server$/)
    await command(first.url, 'SET', 'kept', 'yes')
    const pid = await pidIn(dirs.redisDir)
    await first[Symbol.asyncDispose]()
    expect(await isAlive(pid)).toBe(false)
    expect((await readdir(dirs.redisDir)).filter((name) => /sock|pid|owner/.test(name))).toEqual([])
    await using second = await find(dirs)
    expect(await command(second.url, 'GET', 'kept')).toBe('yes')
  }))

test('the server does not get the Ctrl-C of the terminal', () =>
  withDirs(async (dirs) => {
    await using found = await find(dirs)
    expect(found.url).toMatch(/^unix:/)
    const pid = await pidIn(dirs.redisDir)
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
    // Process group and session are its own.
    expect([Number(fields[2]), Number(fields[3])]).toEqual([pid, pid])
  }))

test('after kill -9 of its owner the next one recovers the data and the directory', () =>
  withDirs(async (dirs) => {
    const owner: ChildProcess = spawn(
      process.execPath,
      [join(import.meta.dirname, 'owner-process.ts'), dirs.dataDir, dirs.cacheDir],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    const [url] = (await once(owner.stdout!.setEncoding('utf8'), 'data')) as [string]
    await command(url.trim(), 'SET', 'kept', 'yes')
    const orphan = await pidIn(dirs.redisDir)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    expect(await isAlive(orphan)).toBe(true)
    const messages: string[] = []
    await using found = await find(dirs, messages)
    expect(messages.filter(isRemarkable)).toEqual(['A Redis that an earlier Hearth left behind is shut down'])
    expect(await isAlive(orphan)).toBe(false)
    expect(await command(found.url, 'GET', 'kept')).toBe('yes')
  }))

test('the pid of a server that is long gone is not killed when another process has it now', () =>
  withDirs(async (dirs) => {
    const bystander = spawn('sleep', ['60'])
    await mkdir(dirs.redisDir, { recursive: true })
    await writeFile(join(dirs.redisDir, 'redis.pid'), String(bystander.pid))
    await writeFile(join(dirs.redisDir, 'owner'), `${bystander.pid} 1`)
    await using found = await find(dirs)
    expect(await command(found.url, 'PING')).toBe('PONG')
    expect(await isAlive(bystander.pid!)).toBe(true)
    bystander.kill()
  }))

test('a second instance on the same data directory is refused and does the first no harm', () =>
  withDirs(async (dirs) => {
    await using first = await find(dirs)
    await expect(find(dirs)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringMatching(/in use by another Hearth, process \d+: stop that one, or give this one its own/),
    })
    expect(await command(first.url, 'PING')).toBe('PONG')
  }))

test('of many that start at once on a data directory one gets it', () =>
  withDirs(async (dirs) => {
    await mkdir(dirs.redisDir, { recursive: true })
    await writeFile(join(dirs.redisDir, 'owner'), '999999999 1')
    const started = await Promise.allSettled(Array.from({ length: 5 }, () => find(dirs)))
    const found = started.filter((result) => result.status === 'fulfilled')
    expect(found).toHaveLength(1)
    await found[0]?.value[Symbol.asyncDispose]()
  }))

test('instances with different data directories run side by side', () =>
  withDirs((one) =>
    withDirs(async (two) => {
      await using first = await find(one)
      await using second = await find(two)
      await command(first.url, 'SET', 'key', 'first')
      expect(await command(second.url, 'GET', 'key')).toBeNull()
    }),
  ))

test('a data directory whose path is too long for a socket works', () =>
  withDirs(async ({ dataDir, cacheDir }) => {
    const long = join(dataDir, 'x'.repeat(120), 'ü ö')
    const found = await find({ dataDir: long, cacheDir })
    expect(await command(found.url, 'PING')).toBe('PONG')
    const { path = '' } = parseRedisUrl(found.url)
    expect(Buffer.byteLength(path)).toBeLessThan(104)
    await found[Symbol.asyncDispose]()
    expect(existsSync(join(path, '..'))).toBe(false)
  }))

test('a server that dies is started again with its data', () =>
  withDirs(async (dirs) => {
    const messages: string[] = []
    await using found = await find(dirs, messages)
    await command(found.url, 'SET', 'kept', 'yes')
    const pid = await pidIn(dirs.redisDir)
    process.kill(pid, 'SIGKILL')
    await eventually(async () => ![pid, 0].includes(await pidIn(dirs.redisDir)))
    expect(await command(found.url, 'GET', 'kept')).toBe('yes')
    expect(messages.filter(isRemarkable)).toEqual(['Redis ended (SIGKILL) and is started again'])
  }))

test('a server that cannot start is reported with what it wrote, and gives the directory back', () =>
  withDirs(async (dirs) => {
    await mkdir(join(dirs.redisDir, 'appendonlydir'), { recursive: true })
    await writeFile(join(dirs.redisDir, 'appendonlydir/appendonly.aof.manifest'), 'not a manifest\n')
    await expect(find(dirs)).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringMatching(/ended while it started: .*manifest/i),
    })
    await rm(join(dirs.redisDir, 'appendonlydir'), { recursive: true })
    await using found = await find(dirs)
    expect(await command(found.url, 'PING')).toBe('PONG')
  }))

test('without any way to a Redis the error names the ways out', () =>
  withDirs(async (dirs) => {
    await withEnvironment({ PATH: '/nonexistent' }, async () => {
      await expect(find(dirs)).rejects.toMatchObject({
        code: 'store-unavailable',
        message: expect.stringMatching(/HEARTH_REDIS_URL.*install redis-server.*no apt-get.*no docker/),
      })
    })
    expect(await readdir(dirs.redisDir)).toEqual([])
  }))

const IMAGE = 'redis:7'
const docker = spawnSync('docker', ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'], { encoding: 'utf8' })
// With the real image on the machine the test would remove it.
const canImport = docker.status === 0 && !docker.stdout.split('\n').includes(IMAGE)

test.skipIf(!canImport)('without redis-server and apt a container is run (needs Docker, without redis:7)', () =>
  withDirs(async (dirs) => {
    await importImage(join(dirs.dataDir, 'image'))
    const path = join(dirs.dataDir, 'bin')
    await mkdir(path)
    await symlink((await findOnPath(['docker']))!, join(path, 'docker'))
    try {
      await withEnvironment({ PATH: path }, async () => {
        const first = await find(dirs)
        expect(first.detail).toBe('private redis:7 in a container')
        await command(first.url, 'SET', 'kept', 'yes')
        await first[Symbol.asyncDispose]()
        await using second = await find(dirs)
        expect(await command(second.url, 'GET', 'kept')).toBe('yes')
      })
      const signal = AbortSignal.timeout(10_000)
      expect(await runProgram('docker', ['ps', '-a', '--format', '{{.Names}}'], { signal })).not.toMatch(/hearth-redis/)
    } finally {
      spawnSync('docker', ['rmi', IMAGE])
    }
  }),
)

const hasApt = existsSync('/usr/bin/apt-get')

test.skipIf(!hasApt)('without redis-server a private copy of the package is unpacked (needs apt-get)', () =>
  withDirs(async (dirs) => {
    const path = await pathWithoutRedis(join(dirs.dataDir, 'bin'))
    await withEnvironment({ PATH: path }, async () => {
      const messages: string[] = []
      const first = await find(dirs, messages)
      expect(first.detail).toMatch(/^private redis-server \d\S+, unpacked into /)
      expect(messages[0]).toMatch(/downloading a private copy/)
      expect(messages.at(-1)).toMatch(/nothing was installed on the system/)
      await command(first.url, 'SET', 'kept', 'yes')
      await first[Symbol.asyncDispose]()
      messages.length = 0
      await using second = await find(dirs, messages)
      expect(messages).toEqual([])
      expect(await command(second.url, 'GET', 'kept')).toBe('yes')
      expect(await readdir(dirs.cacheDir)).toEqual(['redis-server'])
    })
  }),
)

test.skipIf(!hasApt)('where the system has no package lists, private ones are fetched (needs apt-get)', () =>
  withDirs(async (dirs) => {
    const path = await pathWithoutRedis(join(dirs.dataDir, 'bin'))
    const lists = join(dirs.dataDir, 'no-lists')
    const config = join(dirs.dataDir, 'apt.conf')
    await mkdir(join(lists, 'partial'), { recursive: true })
    await writeFile(config, `Dir::State::Lists "${lists}";\n`)
    await withEnvironment({ PATH: path, APT_CONFIG: config }, async () => {
      const messages: string[] = []
      await using found = await find(dirs, messages)
      expect(messages[1]).toMatch(/fetching private ones/)
      expect(await command(found.url, 'PING')).toBe('PONG')
    })
  }),
)
