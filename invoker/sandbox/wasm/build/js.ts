// A bundle → an artifact, by the engine that the spec names.
import { assemble, type Artifact } from './assemble.ts'
import type { Bundle } from './bundle.ts'
import { withViews } from './glue-views.ts'
import type { BuildJob, Report } from './job.ts'
import { transpile } from './transpile.ts'
import { withWrittenMap } from './written-map.ts'

export const SOURCE_MAP_PATH = 'function.js.map'

export interface JsContext {
  /** All that the code can see of the file system while its top level runs. */
  readonly emptyDir: string
  readonly report: Report
}

export async function buildJs(
  bundle: Bundle,
  { spec, starlingMonkeyDir }: BuildJob,
  context: JsContext,
): Promise<Artifact> {
  const { emptyDir, report } = context
  const { engine } = spec
  report('componentize', `running the top level in ${engine} and taking its snapshot`)
  const component =
    engine === 'quickjs'
      ? await (await import('./quickjs.ts')).componentizeQuickJs(bundle, emptyDir)
      : await (await import('./starlingmonkey.ts')).componentizeStarlingMonkey(bundle, starlingMonkeyDir)
  report('transpile', 'translating the component')
  // Restoring memory was verified for QuickJS of componentize-qjs 0.4.5; StarlingMonkey's adapter does not survive it.
  const resettable = engine === 'quickjs'
  // What is written is noted, so that after a call only that is restored.
  const { glue, cores } = await transpile(component, resettable ? withViews : undefined)
  return assemble({
    manifest: {
      world: 'function',
      engine,
      resettable,
      rehearses: resettable,
      async: true,
      export: 'handle',
      sourceMap: SOURCE_MAP_PATH,
    },
    glue,
    cores: resettable ? withWrittenMap(cores, spec.memoryMiB * 1024 * 1024) : cores,
    memoryMiB: spec.memoryMiB,
    extra: new Map([[SOURCE_MAP_PATH, new TextEncoder().encode(bundle.map)]]),
  })
}
