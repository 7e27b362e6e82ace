// The upload and our prelude → one module for the engine. Reads no file outside the upload but those of runtimes/js.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

import { build, type BuildFailure, type Message } from 'esbuild'

import type { Diagnostic } from '#core/build'

import { findEntry } from './entry.ts'
import { Refusal, type BuildJob } from './job.ts'
import { buildPrelude } from './prelude.ts'
import { tsconfigOf } from './tsconfig.ts'
import { onlyUpload, PRELUDE } from './upload-plugin.ts'

export interface Bundle {
  readonly code: string
  /** A source map of `code` without the sources; paths are those of the upload. */
  readonly map: string
  /** A line of the upload, counted from 1. */
  lineOf(file: string, line: number): string | undefined
}

/** Stands for the module that joins prelude and upload; not a file. */
const ENTRY = 'hearth-entry.js'

/**
 * @param dir an empty directory of this build's own
 * @throws Refusal with the places that esbuild names
 */
export async function bundle({ source, spec }: BuildJob, dir: string): Promise<Bundle> {
  const { path, exportName } = findEntry(source, spec.handler)
  const [prelude] = await Promise.all([buildPrelude(spec.engine), writeUpload(source, dir)])
  try {
    const { outputFiles } = await build({
      stdin: { contents: entryModule(path, exportName), resolveDir: dir, sourcefile: ENTRY },
      absWorkingDir: dir,
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['worker', 'browser'],
      target: 'es2023',
      // What packages look at although they would run anywhere.
      define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
      // Names stay: they are in stack traces, and libraries look at them.
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: 'external',
      sourcesContent: false,
      outfile: join(dir, 'function.js'),
      logLevel: 'silent',
      tsconfigRaw: tsconfigOf(source),
      plugins: [onlyUpload(dir, join(dir, ENTRY), prelude)],
    })
    const text = (suffix: string): string => outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? ''
    return {
      code: text('.js'),
      map: text('.map'),
      lineOf(file, line) {
        const bytes = source.get(file)
        return bytes === undefined ? undefined : new TextDecoder().decode(bytes).split('\n')[line - 1]
      },
    }
  } catch (thrown) {
    const errors = (thrown as Partial<BuildFailure>).errors
    if (errors === undefined) throw thrown
    throw new Refusal(...errors.map(diagnosticOf))
  }
}

function entryModule(path: string, exportName: string): string {
  return [
    // First, so that the globals are there when the user's modules run.
    `import { serve } from '${PRELUDE}'`,
    `import * as user from ${JSON.stringify(`./${path}`)}`,
    `const call = serve(user, ${JSON.stringify(exportName)})`,
    `export function handle(incoming) { return call(incoming) }`,
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

function diagnosticOf({ text, location }: Message): Diagnostic {
  if (location === null || location.file === ENTRY) return { message: text }
  const { file, line, column, lineText } = location
  return { message: text, file, line, column: column + 1, excerpt: lineText.slice(0, 500) }
}
