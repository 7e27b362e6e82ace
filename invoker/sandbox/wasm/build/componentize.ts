// A bundled module → a component, its top level already run. The engine's snapshot holds the user's module state.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { componentize } from 'componentize-qjs'

import type { Diagnostic } from '#core/build'

import { RUNTIME_DIR, type Bundle } from './bundle.ts'
import { Refusal } from './job.ts'

/**
 * @param emptyDir all that the code can see of the file system while its top level runs
 * @throws Refusal when the top level throws
 */
export async function componentizeQuickJs(bundle: Bundle, emptyDir: string): Promise<Uint8Array> {
  // Only its directory counts; the text comes from memory.
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
    throw new Refusal(topLevelError(thrown instanceof Error ? thrown.message : String(thrown)))
  }
}

function topLevelError(text: string): Diagnostic {
  return { message: text }
}
