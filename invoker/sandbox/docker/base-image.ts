// Makes a base image without a registry: the programs of this machine with their libraries, imported as a tar stream.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type Docker from 'dockerode'
import { pack, type Pack } from 'tar-stream'

import { filesOf, type ImageFiles } from './closure.ts'
import { LABELS } from './labels.ts'
import type { ContainerRuntime } from './recipes.ts'
import { readReports } from './streams.ts'

const TEXTS: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/sbin/nologin\nhearth:x:1000:1000::/tmp:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nhearth:x:1000:\nnogroup:x:65534:\n',
}
const PATH = '/usr/local/bin:/usr/bin:/bin'
const MIB = 1024 * 1024

export interface BaseImageOptions {
  readonly docker: Docker
  readonly runtime: ContainerRuntime
  readonly onProgress: (message: string) => void
}

/**
 * The name of the image, made now unless there is one of the same programs.
 * @throws Error in words for people
 */
export async function makeBaseImage(options: BaseImageOptions, signal: AbortSignal): Promise<string> {
  const { docker, runtime, onProgress } = options
  const files = await filesOf(runtime)
  const repo = `hearth/base-${runtime}`
  const tag = await identityOf(files)
  const name = `${repo}:${tag}`
  if (await imageExists(docker, name)) return name
  onProgress(`making a base image from the ${runtime === 'node' ? 'node' : 'python3'} of this machine`)
  const archive = pack()
  const changes = [`ENV PATH=${PATH}`, `LABEL ${LABELS.image}=base-${runtime}`]
  const written = writeFiles(archive, files, onProgress)
  written.catch((error: Error) => archive.destroy(error))
  const reports = await docker.importImage(Readable.from(archive), { repo, tag, changes })
  await readReports(reports, () => {}, signal)
  await written
  return name
}

export async function imageExists(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getImage(name).inspect()
    return true
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false
    throw error
  }
}

/** Changes when a program or a library is replaced, without reading them all. */
async function identityOf(files: ImageFiles): Promise<string> {
  const hash = createHash('sha256')
  for (const [path, source] of files) {
    const { size, mtimeMs } = await stat(source)
    hash.update(`${path}\n${source}\n${size}\n${mtimeMs}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

async function writeFiles(archive: Pack, files: ImageFiles, onProgress: (message: string) => void): Promise<void> {
  for (const path of parentsOf([...files.keys(), '/tmp/x', '/fn/x', '/root/x', '/run/hearth/x'])) {
    archive.entry({ name: path.slice(1), type: 'directory', mode: path === '/tmp' ? 0o1777 : 0o755 })
  }
  for (const [path, text] of Object.entries(TEXTS)) archive.entry({ name: path, mode: 0o644 }, text)
  let bytes = 0
  let told = 0
  for (const [path, source] of files) {
    const { size, mode, mtime } = await stat(source)
    // Python compares the time of a source with the one that its compiled form names.
    const entry = archive.entry({ name: path.slice(1), size, mtime, mode: (mode & 0o111) === 0 ? 0o644 : 0o755 })
    await pipeline(createReadStream(source), entry)
    bytes += size
    if (bytes - told < 32 * MIB) continue
    told = bytes
    onProgress(`base image: ${Math.round(bytes / MIB)} MiB`)
  }
  archive.finalize()
}

/** Every folder above the paths, outermost first. */
function parentsOf(paths: readonly string[]): readonly string[] {
  const found = new Set<string>(['/etc'])
  for (const path of paths) {
    for (let dir = dirname(path); dir !== '/' && !found.has(dir); dir = dirname(dir)) found.add(dir)
  }
  return [...found].toSorted((a, b) => (a < b ? -1 : 1))
}
