// The rules of style that no linter checks, as functions of one source.
import type { Source } from './sources.ts'

export const MAX_CODE_LINES = 300

/** Where the clock of the machine may be used directly: inside sandboxes, in scripts and benches, and in the clock. */
const OWN_TIME =
  /^(?:core\/clock\.ts|runtimes\/|functions\/|bench\/|scripts\/|test\/|invoker\/sandbox\/wasm\/(?:host\/|build\/tick-loop\.ts))/
/** Code in strings, which something else compiles. */
const HOLDS_CODE = /^test\//
const TIME = /\bDate\.now\(|\bnew Date\(\)|(?<![\w.])set(?:Timeout|Interval)\(|['"](?:node:)?timers(?:\/promises)?['"]/
const NOT_STRIPPED = /\benum\s+\w+\s*\{|^\s*namespace\s+\w+/
const NOTE_TO_SELF = /\b(?:TODO|FIXME|XXX|HACK)\b(?!.*#\d+)/
const SUPPRESSION = /(?:oxlint|eslint)-(?:disable|enable)|@ts-(?:expect-error|ignore|nocheck)|oxfmt-ignore/
const REASONED = /(?:--|:)\s*\S+\s+\S+/

/** One line for every rule that a file breaks. */
export function untidy(source: Source): readonly string[] {
  return [
    ...sizeOf(source),
    ...linesThat(source, NOTE_TO_SELF, 'a note to self needs the number of an issue'),
    ...linesThat(
      source,
      /\bvi\.(?:mock|doMock|hoisted)\(/,
      'modules are not mocked: use a fake that implements the seam',
    ),
    ...linesThat(source, /\b(?:it|test|describe)\.(?:only|todo)\(/, 'this hides the other tests'),
    ...(HOLDS_CODE.test(source.path) ? [] : linesThat(source, NOT_STRIPPED, 'Node strips types; it does not compile')),
    ...(OWN_TIME.test(source.path) ? [] : linesThat(source, TIME, 'time comes from core/clock.ts')),
    ...unreasoned(source),
  ]
}

function sizeOf({ path, text }: Source): string[] {
  const lines = text.split('\n').filter((line) => !/^\s*(?:$|\/\/|\*|\/\*|#)/.test(line)).length
  return lines <= MAX_CODE_LINES ? [] : [`${path}: ${lines} lines of code, at most ${MAX_CODE_LINES}`]
}

function linesThat({ path, text }: Source, pattern: RegExp, rule: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (pattern.test(withoutComment(line, pattern)) ? [`${path}:${index + 1}: ${rule}`] : []))
}

/** Rules about code do not look at prose; the rule about notes does. */
function withoutComment(line: string, pattern: RegExp): string {
  return pattern === NOTE_TO_SELF ? line : line.replace(/^\s*(?:\/\/|\*|\/\*).*$/, '')
}

function unreasoned({ path, text }: Source): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    const found = SUPPRESSION.exec(line)
    if (found === null || /-enable/.test(found[0])) return []
    const reasoned =
      REASONED.test(line.slice(found.index + found[0].length)) || /^\s*\/\/ /.test(lines[index - 1] ?? '')
    return reasoned ? [] : [`${path}:${index + 1}: a suppression needs its reason: -- why`]
  })
}

/** Folders none of whose files opens with a comment that says what the folder is for. */
export function foldersWithoutHeader(all: readonly Source[]): readonly string[] {
  const folders = Map.groupBy(all, ({ path }) => path.slice(0, path.lastIndexOf('/')))
  return [...folders]
    .filter(([, files]) => !files.some(({ text }) => /^(?:#!.*\n|'use strict'\n)?\s*(?:\/\/|\/\*|#|""")/.test(text)))
    .map(([dir]) => dir)
}
