// Installs the StarlingMonkey toolchain, 385 MB, when the first function asks for it: too much for those who never do.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { BuildProgress } from '#core/build'
import { PlatformError } from '#core/errors'

import { RUNTIME_DIR } from './prelude.ts'

const RECIPE_DIR = join(RUNTIME_DIR, 'starlingmonkey')

/**
 * The directory with the packages. The directory's name is the digest of the lock file, and it gets its name when it
 * is complete, so that processes which install at the same time do not see each other's half.
 * @throws PlatformError `driver-unavailable` with what to do, when npm cannot install
 */
export async function installStarlingMonkey(
  cacheDir: string,
  onProgress: (progress: BuildProgress) => void,
  signal: AbortSignal,
): Promise<string> {
  const lock = await readFile(join(RECIPE_DIR, 'package-lock.json'))
  const target = join(cacheDir, `starlingmonkey-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`)
  if (await exists(target)) return target
  onProgress({ step: 'install', message: 'installing the StarlingMonkey toolchain with npm, once (385 MB)' })
  await mkdir(cacheDir, { recursive: true })
  const dir = await mkdtemp(join(cacheDir, 'installing-'))
  try {
    for (const file of ['package.json', 'package-lock.json', 'toolchain.mjs'])
      await cp(join(RECIPE_DIR, file), join(dir, file))
    await npmCi(dir, target, signal)
    await rename(dir, target).catch(async (error: unknown) => {
      // Another process was faster.
      if (!(await exists(target))) throw error
    })
    return target
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function npmCi(dir: string, target: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const options = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = spawn('npm', options, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'], signal })
  let stderr = ''
  npm.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000)
  })
  npm.once('error', (error) => reject(signal.aborted ? signal.reason : failed(error.message, target)))
  npm.once('close', (code) =>
    code === 0 ? resolve() : reject(failed(stderr.trim() || `npm ended with ${code}`, target)),
  )
  await promise
}

function failed(why: string, target: string): PlatformError {
  return new PlatformError('driver-unavailable', {
    detail: `engine "starlingmonkey" needs packages that npm could not install: ${why.slice(0, 500)}. Connect this machine to the registry and deploy again, or copy ${target} from a machine that has it, or use engine "quickjs".`,
  })
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
