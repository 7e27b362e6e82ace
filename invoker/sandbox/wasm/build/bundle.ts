// The upload and our prelude → one module for the engine. Reads no file outside the upload but those of runtimes/js.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

import { build, type BuildFailure, type Loader, type Message, type Plugin } from 'esbuild'

import type { Diagnostic } from '#core/build'

import { findEntry } from './entry.ts'
import { Refusal, type BuildJob } from './job.ts'

export const RUNTIME_DIR = join(import.meta.dirname, '../../../../runtimes/js')

/** The module that joins prelude and upload; not a file. */
const ENTRY = 'hearth-entry.js'

export interface Bundle {
  readonly code: string
  /** A source map of `code`, for the places of errors. */
  readonly map: string
}

/**
 * @param dir an empty directory of this build's own
 * @throws Refusal with the places that esbuild names
 */
export async function bundle(job: BuildJob, dir: string): Promise<Bundle> {
  const entry = findEntry(job.source, job.spec.handler)
  await writeUpload(job.source, dir)
  try {
    const { outputFiles } = await build({
      stdin: {
        contents: entryModule(job.spec.engine, entry.path, entry.exportName),
        resolveDir: dir,
        sourcefile: ENTRY,
      },
      absWorkingDir: dir,
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['worker', 'browser'],
      target: 'es2023',
      sourcemap: 'external',
      sourcesContent: false,
      outfile: join(dir, 'bundle.js'),
      external: ['hearth:js/host@0.1.0'],
      logLevel: 'silent',
      tsconfigRaw: tsconfigOf(job.source),
      plugins: [onlyUpload(dir)],
    })
    const text = (suffix: string): string => outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? ''
    return { code: text('.js'), map: text('.map') }
  } catch (thrown) {
    const errors = (thrown as Partial<BuildFailure>).errors
    if (errors === undefined) throw thrown
    throw new Refusal(...errors.map(diagnosticOf))
  }
}

function entryModule(engine: string, path: string, exportName: string): string {
  return [
    // First, so that the globals are there when the user's modules run.
    `import 'hearth-runtime:${engine}.ts'`,
    `import { serve } from 'hearth-runtime:serve.ts'`,
    `import * as user from ${JSON.stringify(`./${path}`)}`,
    `const call = serve(user, ${JSON.stringify(exportName)})`,
    `export async function handle(incoming) { return call(incoming) }`,
  ].join('\n')
}

async function writeUpload(source: BuildJob['source'], dir: string): Promise<void> {
  for (const [path, bytes] of source) {
    const target = join(dir, path)
    if (!target.startsWith(dir + sep)) throw new Refusal({ message: `a path of the upload leads out of it: ${path}` })
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, bytes)
  }
}

/** Lets esbuild resolve as it does, and refuses what lies outside the upload; `hearth-runtime:` is ours alone. */
function onlyUpload(dir: string): Plugin {
  const inside = (path: string): boolean => path.startsWith(dir + sep)
  return {
    name: 'only-upload',
    setup({ onLoad, onResolve, resolve }) {
      onResolve({ filter: /^hearth-runtime:/ }, ({ path, importer }) =>
        importer === join(dir, ENTRY)
          ? { path: join(RUNTIME_DIR, path.slice('hearth-runtime:'.length)) }
          : { errors: [{ text: `Could not resolve "${path}"` }] },
      )
      onResolve({ filter: /.*/ }, async ({ path, importer, kind, pluginData, resolveDir }) => {
        if (pluginData === RESOLVING || path.startsWith('hearth:js/')) return undefined
        if (importer.startsWith(RUNTIME_DIR)) return undefined
        const found = await resolve(path, { importer, kind, resolveDir, pluginData: RESOLVING })
        if (found.errors.length > 0) return { errors: [{ text: unresolved(path) }] }
        if (found.external || !inside(found.path)) return { errors: [{ text: outside(path) }] }
        return { path: found.path, sideEffects: found.sideEffects, namespace: found.namespace }
      })
      onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
        if (!inside(path)) return undefined
        // A sourceMappingURL in the upload would make esbuild read whatever file it names.
        const contents = (await readFile(path, 'utf8')).replaceAll('sourceMappingURL', 'sourceMappingUrl')
        return { contents, loader: loaderOf(path), resolveDir: dirname(path) }
      })
    },
  }
}

const RESOLVING = Symbol('resolving')

function loaderOf(path: string): Loader {
  const extension = path.slice(path.lastIndexOf('.') + 1)
  if (extension === 'tsx') return 'tsx'
  if (extension.endsWith('ts')) return 'ts'
  // JSX in a .js file is common, and costs nothing to accept.
  return 'jsx'
}

function unresolved(path: string): string {
  if (path.startsWith('.') || path.startsWith('/')) return `Could not resolve "${path}": the upload has no such file`
  const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/')
  if (path.startsWith('node:'))
    return `"${path}" is a module of Node: use the runtime "node" for functions that need it`
  return `Could not resolve "${path}": the upload has no package "${name}". Run "npm install ${name}" where the function is and deploy the folder with its node_modules.`
}

function outside(path: string): string {
  return `"${path}" lies outside the upload: only uploaded files can be imported`
}

function diagnosticOf({ text, location }: Message): Diagnostic {
  if (location === null) return { message: text }
  const { file, line, column, lineText } = location
  return { message: text, file, line, column: column + 1, excerpt: lineText }
}

const COMPILER_OPTIONS = [
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
  'experimentalDecorators',
  'useDefineForClassFields',
  'verbatimModuleSyntax',
  'strict',
] as const

/** Only named options of the upload's tsconfig.json: `extends` would make esbuild read whatever file it names. */
function tsconfigOf(source: BuildJob['source']): { compilerOptions: Record<string, unknown> } {
  const bytes = source.get('tsconfig.json')
  if (bytes === undefined) return { compilerOptions: {} }
  const text = new TextDecoder().decode(bytes).replaceAll(/^\s*\/\/.*$/gm, '')
  try {
    const { compilerOptions = {} } = JSON.parse(text) as { compilerOptions?: Record<string, unknown> }
    const taken = COMPILER_OPTIONS.filter((name) => Object.hasOwn(compilerOptions, name))
    return { compilerOptions: Object.fromEntries(taken.map((name) => [name, compilerOptions[name]])) }
  } catch {
    return { compilerOptions: {} }
  }
}
