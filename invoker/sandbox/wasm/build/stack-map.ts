// Stacks of a js function name places in the bundle; these put the user's own files and lines in their stead.
import { SourceMap, type SourceMapPayload } from 'node:module'

/** A place in the user's code, counted from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface StackMapper {
  /** Frames of Hearth's own part are left out. Frames that the map does not know stay as they are. */
  stack(stack: string): string
  /** The innermost frame in the user's code. */
  place(stack: string): Place | undefined
}

/** `    at name (/function.js:24:35306)`, as QuickJS and StarlingMonkey write it; the names of the file differ. */
const FRAME = /^(\s*at .*\(|\s*at |.*@)([^():@\s]*):(\d+):(\d+)\)?$/
const OURS = /(?:^|\/)(?:hearth-entry\.js$|hearth:prelude)/

/** @param map the text of the artifact's source map */
export function createStackMapper(map: string): StackMapper {
  const sourceMap = new SourceMap(JSON.parse(map) as SourceMapPayload)
  const locate = (line: string): Place | undefined => {
    const frame = FRAME.exec(line)
    if (frame === null) return undefined
    const entry = sourceMap.findEntry(Number(frame[3]) - 1, Number(frame[4]) - 1)
    if (!('originalSource' in entry)) return undefined
    return { file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 }
  }
  return {
    stack(stack) {
      const lines = stack.split('\n').flatMap((line) => {
        const place = locate(line)
        if (place === undefined) return [line]
        if (OURS.test(place.file)) return []
        const name = FRAME.exec(line)?.[1] ?? ''
        const at = `${place.file}:${place.line}:${place.column}`
        return [name.endsWith('(') ? `${name}${at})` : `${name}${at}`]
      })
      return lines.join('\n')
    },
    place(stack) {
      return stack
        .split('\n')
        .map(locate)
        .find((place) => place !== undefined && !OURS.test(place.file))
    },
  }
}
