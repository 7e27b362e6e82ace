// What an engine says about top-level code that failed, in words and places of the user.
import type { Diagnostic } from '#core/build'

import type { Bundle } from './bundle.ts'
import { createStackMapper } from './stack-map.ts'

/** What the engines say before the error itself. */
const PREAMBLES = [
  /^[\s\S]*Failed to finish JavaScript module evaluation: /,
  /^[\s\S]*Failed to evaluate user JavaScript module: /,
  /^[\s\S]*Exception while evaluating top-level script\s+\S+ /,
  /^[\s\S]*Failed to initialize component [^\n]*\n/,
]

/** @param text the engine's message: the error, then the frames of its stack */
export function topLevelDiagnostic(text: string, bundle: Bundle): Diagnostic {
  const message = explain(text)
  const place = createStackMapper(bundle.map).place(text)
  if (place === undefined) return { message }
  const excerpt = bundle.lineOf(place.file, place.line)
  return excerpt === undefined ? { message, ...place } : { message, ...place, excerpt: excerpt.slice(0, 500) }
}

function explain(text: string): string {
  if (/wasm backtrace|unknown import/.test(text)) {
    return 'the top level of the module, which runs at build time, ended the engine: it asked for entropy, timers or the network, or ran out of memory or stack'
  }
  if (/resulted in a dead lock/.test(text)) return 'the top level of the module awaits what never happens at build time'
  const preamble = PREAMBLES.find((pattern) => pattern.test(text)) ?? /^/
  const first = text.replace(preamble, '').trim().split('\n')[0] ?? ''
  // Not the engine's words: they tell where files of the builder are.
  const computed = /Error resolving module '([^']*)'/.exec(first)
  if (computed !== null)
    return `a module cannot be imported by a computed name: received ${JSON.stringify(computed[1])}`
  if (first.includes('the module must export'))
    return first.replace(/^.*?the module must export/, 'the module must export')
  return `the top level of the module throws: ${first.replace(/^Error: /, '')}`
}
