// Our own part of a bundle: runtimes/js for one engine as a single minified module, or text for text the smaller the
// snapshot, which is copied after every call.
import { join } from 'node:path'

import { build } from 'esbuild'

import type { EngineName } from '#core/function'

export const RUNTIME_DIR = join(import.meta.dirname, '../../../../runtimes/js')
export const HOST_MODULE = 'hearth:js/host@0.1.0'

const ENTRIES = {
  quickjs: `import './quickjs.ts'\nexport { serve } from './serve.ts'`,
  starlingmonkey: `export { serve } from './starlingmonkey/serve.ts'`,
} as const satisfies Record<EngineName, string>

/** An ES module that installs the globals and exports `serve`. */
export async function buildPrelude(engine: EngineName): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRIES[engine], resolveDir: RUNTIME_DIR },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    external: [HOST_MODULE],
    minify: true,
    logLevel: 'silent',
    tsconfigRaw: {},
  })
  return outputFiles[0]?.text ?? ''
}
