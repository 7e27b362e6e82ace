// The programs of this machine that a base image is made of: node or python3, and every file that they need to run.
import { execFile } from 'node:child_process'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'

import type { ContainerRuntime } from './recipes.ts'

/** Path in the image → path on this machine. */
export type ImageFiles = ReadonlyMap<string, string>

const run = promisify(execFile)
const TOOL_MS = 20_000
/** What makes TLS certificates, names of users and time zones known, where the machine has it. */
const COMMON_FILES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/ld.so.cache']
const ZONES_DIR = '/usr/share/zoneinfo'
const LEFT_OUT =
  /(?:^|\/)(?:test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|site-packages|dist-packages|config-[^/]+)(?:\/|$)|\.opt-\d\.pyc$|_tkinter|\.a$/
const DESCRIBE_PYTHON = `import json, sys, sysconfig
print(json.dumps([sys.executable, sysconfig.get_path('stdlib'), sysconfig.get_config_var('DESTSHARED'), *sys.version_info[:2]]))`

/** @throws Error in words for people when this machine has no such program or it cannot be examined */
export async function filesOf(runtime: ContainerRuntime): Promise<ImageFiles> {
  if (process.platform !== 'linux') {
    throw new Error(`a base image can be made of the programs of a Linux machine only: this is ${process.platform}`)
  }
  const files = new Map<string, string>()
  for (const path of COMMON_FILES) if (await isFile(path)) files.set(path, path)
  if (runtime === 'node') await addProgram(files, '/usr/local/bin/node', process.execPath)
  else await addPython(files)
  return files
}

async function addProgram(files: Map<string, string>, target: string, source: string): Promise<void> {
  files.set(target, source)
  for (const library of await librariesOf([source])) files.set(library, library)
}

async function addPython(files: Map<string, string>): Promise<void> {
  const [executable, libraryDir, modulesDir, major, minor] = await describePython()
  if (major !== 3 || minor < 9) throw new Error(`python3 must be 3.9 or later: it is ${major}.${minor}`)
  await addProgram(files, '/usr/local/bin/python3', await realpath(executable))
  // Next to a program in /usr/local/bin, Python looks for its library here.
  const target = `/usr/local/lib/python${major}.${minor}`
  await addTree(files, libraryDir, target)
  if (modulesDir !== null) await addTree(files, modulesDir, `${target}/lib-dynload`)
  const extensions = [...files]
    .filter(([path]) => path.startsWith(target) && path.endsWith('.so'))
    .map(([, source]) => source)
  for (const library of await librariesOf(extensions)) files.set(library, library)
  if (await isFile(join(ZONES_DIR, 'UTC'))) await addTree(files, ZONES_DIR, ZONES_DIR)
}

async function describePython(): Promise<[string, string, string | null, number, number]> {
  try {
    const { stdout } = await run('python3', ['-I', '-c', DESCRIBE_PYTHON], { timeout: TOOL_MS })
    return JSON.parse(stdout) as [string, string, string | null, number, number]
  } catch (cause) {
    throw new Error('this machine has no python3 that works', { cause })
  }
}

async function addTree(files: Map<string, string>, sourceDir: string, targetDir: string): Promise<void> {
  for (const entry of await readdir(sourceDir, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath, entry.name)
    const path = relative(sourceDir, source)
    if (!entry.isDirectory() && !LEFT_OUT.test(path) && (await isFile(source))) files.set(join(targetDir, path), source)
  }
}

/** The shared libraries that programs or libraries need, the loader included, by the paths that the loader will try. */
async function librariesOf(binaries: readonly string[]): Promise<ReadonlySet<string>> {
  const libraries = new Set<string>()
  if (binaries.length === 0) return libraries
  const output = await ldd(binaries)
  for (const line of output.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line)?.[1]
    // A module of the standard library whose library this machine lacks does not work on this machine either.
    if (missing !== undefined && binaries.length === 1)
      throw new Error(`${binaries[0]} needs ${missing}, which is not installed`)
    const path = /(?:=>\s*|^\s*)(\/\S+) \(0x/.exec(line)?.[1]
    if (path !== undefined) libraries.add(path)
  }
  return libraries
}

async function ldd(binaries: readonly string[]): Promise<string> {
  try {
    return (await run('ldd', [...binaries], { timeout: TOOL_MS, maxBuffer: 16 * 1024 * 1024 })).stdout
  } catch (cause) {
    const { stdout = '', code } = cause as { stdout?: string; code?: string | number }
    // It ends with 1 when one of the files is linked statically.
    if (typeof code === 'number' && stdout !== '') return stdout
    throw new Error('the libraries of a program are found with ldd, which does not work here', { cause })
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}
