// What of an upload's tsconfig.json the bundler follows.
import type { BuildJob } from './job.ts'

/** Those that change what the code means. */
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

/** The rest is left out: `extends`, for one, would make esbuild read whatever file it names and quote it in errors. */
export function tsconfigOf(source: BuildJob['source']): { compilerOptions: Record<string, unknown> } {
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
