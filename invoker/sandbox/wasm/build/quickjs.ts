// A bundled module → a QuickJS component, its top level already run: the snapshot holds the user's module state.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { componentize } from 'componentize-qjs'

import type { Bundle } from './bundle.ts'
import { Refusal } from './job.ts'
import { RUNTIME_DIR } from './prelude.ts'
import { topLevelDiagnostic } from './top-level.ts'

/**
 * @param emptyDir all that the code can see of the file system while its top level runs
 * @throws Refusal when the top level throws, or does what cannot be done at build time
 */
export async function componentizeQuickJs(bundle: Bundle, emptyDir: string): Promise<Uint8Array> {
  // Only its directory counts, as the root for imports at run time; the text comes from memory.
  const jsPath = join(emptyDir, 'function.js')
  await writeFile(jsPath, '')
  try {
    const { component } = await componentize({
      witPath: join(RUNTIME_DIR, 'wit'),
      jsSource: bundle.code,
      moduleRoot: emptyDir,
      jsPath,
    })
    return component
  } catch (thrown) {
    throw new Refusal(topLevelDiagnostic(thrown instanceof Error ? thrown.message : String(thrown), bundle))
  }
}
