// Runs glue that is a script. Compiled code is kept and given to the next worker: parsing and compiling the glue would be
// half of what the start of a sandbox takes.
import { readFile } from 'node:fs/promises'
import { Script } from 'node:vm'

export interface GlueScript {
  /** Its value: what an ES module would export. */
  readonly exports: unknown
  /** The functions that have run by now, compiled; undefined when they were given so. */
  takeCode(): Uint8Array | undefined
}

/**
 * @param code what `takeCode` gave in another worker of this process, for the same text
 * @throws what the glue throws
 */
export async function runGlueScript(path: string, code: Uint8Array | undefined): Promise<GlueScript> {
  // Strict, as a module is: functions of sloppy code can be had from the stack.
  const text = `'use strict';${await readFile(path, 'utf8')}`
  // Without importModuleDynamically, so that it can import nothing.
  const script = new Script(text, { filename: 'component.js', ...(code === undefined ? {} : { cachedData: code }) })
  const known = code !== undefined && script.cachedDataRejected !== true
  return {
    exports: script.runInThisContext(),
    takeCode: () => (known ? undefined : new Uint8Array(script.createCachedData())),
  }
}
