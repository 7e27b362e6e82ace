// The npm packages that a folder's package.json needs to run, found as Node would find them: in node_modules of the
// folder and of the folders above it. Only production dependencies; nothing is installed.
import { readdir, readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { usageError } from '../exit.ts'

interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** Where each package goes in the upload, `node_modules/hono`, and which folder it is copied from. */
type Placed = Map<string, string>

/**
 * @returns files by path below `node_modules/`
 * @throws CliError when a dependency is not installed
 */
export async function packageFiles(dir: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const [at, packageDir] of await placePackages(dir)) {
    for (const path of await filesOfPackage(packageDir, '')) {
      files.set(`${at}/${path}`, await readFile(join(packageDir, path)))
    }
  }
  return files
}

/** Breadth first, so that what the folder itself depends on is at the top before its dependencies look there. */
async function placePackages(dir: string): Promise<Placed> {
  const placed: Placed = new Map()
  const owners = [{ dir, at: '' }]
  for (const owner of owners) {
    for (const [name, found] of await dependenciesOf(owner.dir)) {
      const at = placeFor(name, found, { owner: owner.at, placed })
      if (placed.has(at)) continue
      placed.set(at, found)
      owners.push({ dir: found, at })
    }
  }
  return placed
}

async function dependenciesOf(dir: string): Promise<Map<string, string>> {
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = (await readPackageJson(dir)) ?? {}
  const found = new Map<string, string>()
  for (const name of Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })) {
    const packageDir = await findPackage(name, dir)
    if (packageDir !== undefined) found.set(name, packageDir)
    else if (Object.hasOwn(dependencies, name) && !Object.hasOwn(optionalDependencies, name)) {
      throw usageError(
        `${join(dir, 'package.json')} depends on ${name}, which is not installed`,
        `run "npm install" in ${dir} and deploy again`,
      )
    }
  }
  return found
}

/** Where Node would look first from `owner`, if the same package is there; else at the top; else below `owner`. */
function placeFor(name: string, dir: string, { owner, placed }: { owner: string; placed: Placed }): string {
  for (let folder = owner; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const at = `${folder}/node_modules/${name}`.replace(/^\//, '')
    const there = placed.get(at)
    if (there === dir) return at
    if (there !== undefined) return `${owner}/node_modules/${name}`.replace(/^\//, '')
    if (folder === '') return at
  }
}

/** The real folder of a package as `require` from `fromDir` would find it. */
async function findPackage(name: string, fromDir: string): Promise<string | undefined> {
  for (let dir = fromDir; ; dir = dirname(dir)) {
    const candidate = join(dir, 'node_modules', name)
    if ((await readPackageJson(candidate)) !== undefined) return realpath(candidate)
    if (dirname(dir) === dir) return undefined
  }
}

async function readPackageJson(dir: string): Promise<PackageJson | undefined> {
  let text: string
  try {
    text = await readFile(join(dir, 'package.json'), 'utf8')
  } catch {
    return undefined
  }
  try {
    return JSON.parse(text) as PackageJson
  } catch (error) {
    throw usageError(
      `${join(dir, 'package.json')} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** Without nested packages, which have places of their own, and without what only tools for developers read. */
async function filesOfPackage(dir: string, below: string): Promise<string[]> {
  const entries = await readdir(join(dir, below), { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOfPackage(dir, path)
      return entry.isFile() && !/\.(?:d\.[cm]?ts|map)$/.test(entry.name) ? [path] : []
    }),
  )
  return found.flat().toSorted()
}
