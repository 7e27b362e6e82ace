// A private copy of redis-server out of the packages of a Debian-like system. Installs nothing: the packages are
// unpacked into the cache directory, as any user, and the libraries found there by LD_LIBRARY_PATH.
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { findOnPath, runProgram } from './run.ts'
import { programLauncher, type Launcher } from './server.ts'

export interface FindOptions {
  readonly cacheDir: string
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
}

/** Why there is none, in words for an error. */
export interface NoLauncher {
  readonly reason: string
}

/** What is asked for when apt believes that redis-server is installed, and so names no packages. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1']

export async function debianLauncher(options: FindOptions): Promise<Launcher | NoLauncher> {
  for (const program of ['apt-get', 'dpkg-deb']) {
    if ((await findOnPath([program])) === undefined) return { reason: `no ${program} to unpack a private copy with` }
  }
  const root = join(options.cacheDir, 'redis-server')
  const cached = await launcherIn(root, options.signal)
  if (cached !== undefined) return cached
  try {
    options.onProgress('No redis-server on the PATH: downloading a private copy from the distribution (about 7 MB)')
    await unpack(root, options)
  } catch (error) {
    options.signal.throwIfAborted()
    return { reason: `apt-get download redis-server: ${error instanceof Error ? error.message : String(error)}` }
  }
  options.onProgress(`Unpacked into ${root}; nothing was installed on the system`)
  return (await launcherIn(root, options.signal)) ?? { reason: `the redis-server unpacked into ${root} does not run` }
}

/** Undefined when it is not there or does not run, for instance after an upgrade of the system. */
async function launcherIn(root: string, signal: AbortSignal): Promise<Launcher | undefined> {
  const program = join(root, 'usr/bin/redis-server')
  const env = { LD_LIBRARY_PATH: (await libraryDirs(root)).join(':') }
  try {
    const version = await runProgram(program, ['--version'], { signal, env })
    const number = /v=(\S+)/.exec(version)?.[1] ?? ''
    return programLauncher(program, env, `private redis-server ${number}, unpacked into ${root}`)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** `lib` and `usr/lib`, and the folder of the architecture in each: `usr/lib/x86_64-linux-gnu`. */
async function libraryDirs(root: string): Promise<string[]> {
  const dirs = ['usr/lib', 'lib'].map((dir) => join(root, dir))
  const inside = await Promise.all(dirs.map((dir) => readdir(dir).catch(() => [])))
  return dirs.flatMap((dir, index) => [
    dir,
    ...(inside[index] ?? []).filter((name) => name.includes('-linux-')).map((name) => join(dir, name)),
  ])
}

async function unpack(root: string, { cacheDir, onProgress, signal }: FindOptions): Promise<void> {
  await mkdir(cacheDir, { recursive: true })
  const work = await mkdtemp(join(cacheDir, 'unpack-'))
  try {
    await download(work, onProgress, signal)
    const fresh = join(work, 'root')
    const packages = (await readdir(work)).filter((name) => name.endsWith('.deb'))
    for (const name of packages) await runProgram('dpkg-deb', ['-x', join(work, name), fresh], { signal })
    // Whole or not at all: another instance may be doing the same.
    await rm(root, { recursive: true, force: true })
    await rename(fresh, root)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function download(dir: string, onProgress: (message: string) => void, signal: AbortSignal): Promise<void> {
  const options = ['-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20']
  options.push('-o', `Dir::Cache=${join(dir, 'cache')}`)
  // As root apt would fetch as the user _apt, who cannot write here, and warn about it.
  if (process.getuid?.() === 0) options.push('-o', 'APT::Sandbox::User=root')
  await mkdir(join(dir, 'cache/archives/partial'), { recursive: true })
  try {
    await downloadWith(options, dir, signal)
  } catch {
    signal.throwIfAborted()
    onProgress('The package lists of the system are missing or old: fetching private ones')
    await mkdir(join(dir, 'lists/partial'), { recursive: true })
    const own = [...options, '-o', `Dir::State::Lists=${join(dir, 'lists')}`]
    await runProgram('apt-get', [...own, 'update'], { signal })
    await downloadWith(own, dir, signal)
  }
}

async function downloadWith(options: readonly string[], cwd: string, signal: AbortSignal): Promise<void> {
  const needed = await runProgram(
    'apt-get',
    [...options, '--print-uris', '--yes', '--no-install-recommends', 'install', 'redis-server'],
    { signal },
  )
  const missing = [...needed.matchAll(/^'[^']+' ([^_\s]+)_/gm)].map((match) => match[1] ?? '')
  const packages = missing.includes('redis-server') ? missing : PACKAGES
  await runProgram('apt-get', [...options, 'download', ...packages], { signal, cwd })
}
