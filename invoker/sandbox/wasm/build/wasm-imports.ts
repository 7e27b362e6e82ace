// What a core module imports and exports, read from the binary, so that memories are limited before V8 compiles it.
import { Reader, sections } from './binary.ts'
import { Refusal } from './job.ts'

const IMPORT = 2
const EXPORT = 7
const decoder = new TextDecoder()

export interface CoreSurface {
  /** Names of the modules that it imports from, each once. */
  readonly modules: readonly string[]
  readonly exports: readonly string[]
}

/** @throws Refusal for an imported memory or table, which would be without a limit */
export function coreImports(bytes: Uint8Array): CoreSurface {
  const modules = new Set<string>()
  let exports: string[] = []
  for (const section of sections(bytes)) {
    if (section.id === IMPORT) for (const name of importedModules(section.body)) modules.add(name)
    if (section.id === EXPORT) exports = exportNames(section.body)
  }
  return { modules: [...modules], exports }
}

function importedModules(body: Uint8Array): string[] {
  const reader = new Reader(body)
  return Array.from({ length: reader.u32() }, () => {
    const module = readName(reader)
    const item = readName(reader)
    const kind = reader.byte()
    if (kind === 0) reader.u32()
    else if (kind === 3) reader.skip(2)
    else
      throw new Refusal({ message: `only functions can be imported: ${module}.${item} is a memory, a table or a tag` })
    return module
  })
}

function exportNames(body: Uint8Array): string[] {
  const reader = new Reader(body)
  return Array.from({ length: reader.u32() }, () => {
    const text = readName(reader)
    reader.byte()
    reader.u32()
    return text
  })
}

function readName(reader: Reader): string {
  return decoder.decode(reader.take(reader.u32()))
}
