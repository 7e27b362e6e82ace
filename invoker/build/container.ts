// Prepares code for the runtimes that run it in a container: TypeScript and JSX become JavaScript, the rest stays as
// it was uploaded, and all of it becomes one file. Installs nothing: packages come with the upload.
import { type Loader, type Message, transform, type TransformFailure, version } from 'esbuild'

import type { FileSet } from '#core/artifact'
import { buildFailed, type BuildOutput, type BuildProgress, type Diagnostic, type Draft } from '#core/build'
import { PACK_PATH, packFiles } from '#core/pack'
import { tsconfigOf } from '#invoker/sandbox/wasm/build/tsconfig'

type ContainerRuntime = 'node' | 'python'

const EXTENSIONS: Readonly<Record<ContainerRuntime, readonly string[]>> = {
  node: ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'],
  python: ['.py'],
}

/** How esbuild reads a file, and what becomes of its name. Node takes `.ts`, but not `.tsx` and `.jsx`. */
const LOADERS: Readonly<
  Record<string, { readonly loader: Loader; readonly emitted: string; readonly imported: string }>
> = {
  '.js': { loader: 'js', emitted: '.js', imported: '.js' },
  '.mjs': { loader: 'js', emitted: '.mjs', imported: '.mjs' },
  '.cjs': { loader: 'js', emitted: '.cjs', imported: '.cjs' },
  '.ts': { loader: 'ts', emitted: '.ts', imported: '.js' },
  '.mts': { loader: 'ts', emitted: '.mts', imported: '.mjs' },
  '.cts': { loader: 'ts', emitted: '.cts', imported: '.cjs' },
  '.tsx': { loader: 'tsx', emitted: '.js', imported: '.js' },
  '.jsx': { loader: 'jsx', emitted: '.js', imported: '.js' },
}

/** @throws PlatformError `build-failed` with every syntax error that was found */
export async function buildContainer(
  draft: Draft & { readonly spec: { readonly runtime: ContainerRuntime } },
  onProgress: (progress: BuildProgress) => void,
): Promise<BuildOutput> {
  const { runtime } = draft.spec
  expectCode(draft.source, runtime)
  if (runtime === 'python') return { artifact: packed(draft.source), toolchain: 'none' }
  onProgress({ step: 'transform', message: 'removing types and checking the syntax' })
  return { artifact: packed(await transformAll(draft.source)), toolchain: `esbuild ${version}` }
}

function expectCode(source: FileSet, runtime: ContainerRuntime): void {
  const extensions = EXTENSIONS[runtime]
  if ([...source.keys()].some((path) => isOwn(path) && extensions.includes(extensionOf(path)))) return
  const shown = [...source.keys()].slice(0, 8).join(', ')
  throw buildFailed([
    {
      message: `a ${runtime} function has a file with one of ${extensions.join(' ')}: the upload has ${shown || 'no files'}`,
    },
  ])
}

/** In the order of paths: the same upload gives the same bytes, in whatever order it came. */
function packed(files: FileSet): FileSet {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return new Map([[PACK_PATH, packFiles(new Map(sorted))]])
}

interface Emitted {
  readonly path: string
  readonly code: string
  /** As TypeScript's own module resolution has it imported: `util.ts` as `./util.js`. */
  readonly importedAs: string
}

async function transformAll(source: FileSet): Promise<FileSet> {
  const tsconfigRaw = tsconfigOf(source)
  const diagnostics: Diagnostic[] = []
  const files = new Map(source)
  const emitted: Emitted[] = []
  for (const [path, bytes] of source) {
    const kind = LOADERS[extensionOf(path)]
    if (kind === undefined || !isOwn(path)) continue
    try {
      const { code } = await transform(Buffer.from(bytes), {
        loader: kind.loader,
        sourcefile: path,
        tsconfigRaw,
        target: 'node26',
      })
      if (kind.loader === 'js') continue
      const stem = path.slice(0, -extensionOf(path).length)
      files.delete(path)
      emitted.push({ path: stem + kind.emitted, code, importedAs: stem + kind.imported })
    } catch (thrown) {
      diagnostics.push(...diagnosticsOf(thrown))
    }
  }
  if (diagnostics.length > 0) throw buildFailed(diagnostics)
  for (const { path, code } of emitted) files.set(path, Buffer.from(code))
  for (const { code, importedAs } of emitted) {
    if (!files.has(importedAs) && isImported(importedAs, emitted)) files.set(importedAs, Buffer.from(code))
  }
  return files
}

/** Whether some file asks for it by the name that it has after a compiler run. */
function isImported(path: string, emitted: readonly Emitted[]): boolean {
  const name = `/${path.slice(path.lastIndexOf('/') + 1)}`
  return emitted.some(({ code }) => code.includes(`${name}"`) || code.includes(`${name}'`))
}

function isOwn(path: string): boolean {
  return !path.startsWith('node_modules/') && !path.includes('/node_modules/')
}

function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name.endsWith('.d.ts') ? '.d.ts' : name.slice(Math.max(0, name.lastIndexOf('.')))
}

function diagnosticsOf(thrown: unknown): Diagnostic[] {
  const { errors } = thrown as Partial<TransformFailure>
  if (errors === undefined) throw thrown
  return errors.map(diagnosticOf)
}

function diagnosticOf({ text, location }: Message): Diagnostic {
  if (location === null) return { message: text }
  const { file, line, column, lineText } = location
  return { message: text, file, line, column: column + 1, excerpt: lineText }
}
