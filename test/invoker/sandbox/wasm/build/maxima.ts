// What a core module says about its memories, read apart from the code under test.

const PAGES_PER_MIB = 16
const MEMORY = 5

/** The maximum of every memory that the module defines, MiB; Infinity when it has none. */
export function memoryMaximaMiB(core: Uint8Array): number[] {
  let at = 8
  const number = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = core[at++] as number
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < core.length) {
    const id = core[at++]
    const end = number() + at
    if (id === MEMORY) {
      return Array.from({ length: number() }, () => {
        const limited = core[at++] === 1
        number()
        return limited ? number() / PAGES_PER_MIB : Infinity
      })
    }
    at = end
  }
  return []
}
