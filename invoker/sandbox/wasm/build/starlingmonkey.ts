// A bundled module → a StarlingMonkey component. The toolchain is not one of ours: it is installed when first needed
// (starlingmonkey-install.ts) and loaded from where it lies.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import type { Bundle } from './bundle.ts'
import { Refusal } from './job.ts'
import { RUNTIME_DIR } from './prelude.ts'
import { topLevelDiagnostic } from './top-level.ts'

/** runtimes/js/starlingmonkey/toolchain.mjs */
interface Toolchain {
  readonly wizerPath: string
  readonly componentize: (options: Readonly<Record<string, unknown>>) => Promise<{ component: Uint8Array }>
}

/** CPU seconds of the snapshot tool: it is waited for synchronously, so nothing in this process could stop it. */
const WIZER_SECONDS = 60

/**
 * @param toolchainDir where the packages of runtimes/js/starlingmonkey are installed
 * @throws Refusal when the top level throws, or does what cannot be done at build time
 */
export async function componentizeStarlingMonkey(bundle: Bundle, toolchainDir: string): Promise<Uint8Array> {
  const { componentize, wizerPath } = (await import(
    pathToFileURL(join(toolchainDir, 'toolchain.mjs')).href
  )) as Toolchain
  const sourcePath = join(process.cwd(), 'starlingmonkey', 'function.js')
  await mkdir(join(sourcePath, '..'))
  await writeFile(sourcePath, bundle.code)
  const errors: string[] = []
  // It prints what the top level threw, and throws something else.
  Reflect.set(console, 'error', (...values: unknown[]) => errors.push(values.join(' ')))
  try {
    const { component } = await componentize({
      sourcePath,
      witPath: join(RUNTIME_DIR, 'starlingmonkey/wit'),
      worldName: 'function',
      disableFeatures: ['fetch-event'],
      wizerBin: await limitedWizer(wizerPath),
    })
    return component
  } catch (thrown) {
    const text = [...errors, thrown instanceof Error ? thrown.message : String(thrown)].join('\n')
    throw new Refusal(topLevelDiagnostic(text, bundle))
  }
}

async function limitedWizer(binary: string): Promise<string> {
  const path = join(process.cwd(), 'wizer.sh')
  await writeFile(path, `#!/bin/sh\nulimit -t ${WIZER_SECONDS}\nexec '${binary}' "$@"\n`, { mode: 0o700 })
  return path
}
