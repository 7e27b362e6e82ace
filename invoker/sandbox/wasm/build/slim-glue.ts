// Takes from jco's glue what costs time in every call and is not needed: its debug log and its waits for the allocator
// of the guest. Then minifies it and makes it a script, whose compiled code can be kept: every start of a sandbox runs
// it first.
import { transform } from 'esbuild'

const DEBUG_CALL = '_debugLog('
/** Strings of the three kinds, and parentheses: all that matters for the end of a call in code without comments. */
const PIECE = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[^])*`|[()]/g

/** @returns a script whose value is an object of what `glue`, an ES module, exports */
export async function slimGlue(glue: string): Promise<string> {
  const { code: bare } = await transform(withSyncAllocation(glue), { minifyWhitespace: true, target: 'node26' })
  const { code } = await transform(withoutDebugLog(bare), {
    minify: true,
    target: 'node26',
    format: 'iife',
    globalName: 'glue',
    // import.meta, where jco would look for core modules that it was not given, becomes an empty object.
    logLevel: 'silent',
  })
  return `(()=>{${code};return glue})()`
}

/** @param glue without comments. The arguments of the log are dropped with it: objects, and functions without effect. */
export function withoutDebugLog(glue: string): string {
  const kept: string[] = []
  let from = 0
  for (let at = glue.indexOf(DEBUG_CALL); at !== -1; at = glue.indexOf(DEBUG_CALL, from)) {
    kept.push(glue.slice(from, at), 'void 0')
    from = closingOf(glue, at + DEBUG_CALL.length - 1) + 1
  }
  return kept.join('') + glue.slice(from)
}

/** The index of the parenthesis that closes the one at `open`. */
function closingOf(text: string, open: number): number {
  let depth = 0
  PIECE.lastIndex = open
  for (let match = PIECE.exec(text); match !== null; match = PIECE.exec(text)) {
    if (match[0] === '(') depth++
    else if (match[0] === ')' && --depth === 0) return match.index
  }
  throw new Error('expected balanced parentheses in the glue of jco')
}

const ASYNC_STRING = /await _utf8AllocateAndEncodeAsync\((\w+), (realloc\d+)Async, /g
const ASYNC_ALLOCATION = /await (realloc\d+)Async\(/g

/**
 * The allocator of a component may not call imports, by the canonical ABI, so it never waits; jco calls it on a stack of
 * its own and through a promise all the same, for every text and list of a request. Other ways of jco to call it stay.
 */
export function withSyncAllocation(glue: string): string {
  return glue.replaceAll(ASYNC_STRING, '_utf8AllocateAndEncode($1, $2, ').replaceAll(ASYNC_ALLOCATION, '$1(')
}
