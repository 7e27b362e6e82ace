// The documentation says what the code says.
import { describe, expect, it } from 'vitest'

import { readConfig } from '#core/config'
import { ERRORS } from '#core/errors'
import { SOURCES } from '#gateway/sources/catalogue'
import { TRIGGER_FIELDS } from '#gateway/triggers/spec'

import { configRows, errorRows, EXAMPLE_MACHINE, fencedBlocks, fieldRows, parseEnvBlock, specRows } from './docs.ts'
import { sources, textOf } from './sources.ts'

describe('docs/config.md', () => {
  it('lists every setting and nothing else', () => {
    expect(tableRows('docs/config.md', /^\| `HEARTH_/)).toEqual(configRows().map(squeeze))
  })

  it('has an example that parses to exactly the defaults', () => {
    const [block] = fencedBlocks(textOf('docs/config.md')).filter(({ info }) => info === 'ini')
    const example = parseEnvBlock(block?.text ?? '')
    const defaults = readConfig({}, EXAMPLE_MACHINE)
    expect(readConfig(example, EXAMPLE_MACHINE)).toEqual(defaults)
    expect(Object.keys(example)).toHaveLength(Object.keys(defaults).length)
    // Empty values would parse to the default whatever it is.
    const otherMachine = { memoryMiB: 1, rootDir: '/x', userCacheDir: '/y' }
    expect(readConfig(example, otherMachine)).toEqual(defaults)
  })
})

describe('docs/errors.md', () => {
  it('lists the whole catalogue and nothing else', () => {
    expect(tableRows('docs/errors.md', /^\| `/)).toEqual(errorRows().map(squeeze))
  })
})

describe('docs/functions.md', () => {
  it('lists every field of a spec and nothing else', () => {
    const fields = tableRows('docs/functions.md', /^\| `/).filter((row) => row.split('|').length === 6)
    expect(fields).toEqual(specRows().map(squeeze))
  })
})

describe('docs/events.md', () => {
  it('lists every field of a trigger and nothing else', () => {
    expect(fieldTable('docs/events.md')).toEqual(fieldRows(TRIGGER_FIELDS).map(squeeze))
  })

  it('lists every kind', () => {
    const kinds = tableRows('docs/events.md', /^\| \[`/).map((row) => /`([^`]+)`/.exec(row)?.[1])
    expect(new Set(kinds)).toEqual(new Set(Object.keys(SOURCES)))
  })
})

describe.each(Object.entries(SOURCES))('docs/triggers/%s.md', (kind, { fields }) => {
  it('lists every field of the source and nothing else', () => {
    expect(fieldTable(`docs/triggers/${kind}.md`)).toEqual(fieldRows(fields).map(squeeze))
  })
})

describe('every page', () => {
  const pages = sources(/^(?:[A-Z]+|docs\/[\w/-]+|functions\/[\w/-]+)\.md$/)

  it('links only to files that are there', () => {
    const known = new Set(sources(/./).map(({ path }) => path))
    const dead = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link))
        .map((link) => decodeURIComponent(new URL(link, `file:///${path}`).pathname.slice(1)))
        .filter(
          (target) => ![...known].some((file) => file === target || file.startsWith(`${target.replace(/\/$/, '')}/`)),
        )
        .map((target) => `${path} links to ${target}`),
    )
    expect(dead).toEqual([])
  })

  it('names only error codes that exist', () => {
    const named = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/hearth-error: ([a-z-]+)/g)].map((match) => `${path}: ${match[1]}`),
    )
    expect(named.filter((name) => !Object.hasOwn(ERRORS, name.split(': ')[1] ?? ''))).toEqual([])
  })
})

/** The formatter pads tables: runs of spaces count as one. */
function squeeze(row: string): string {
  return row.replaceAll(/ +/g, ' ').trim()
}

/** The rows of the table whose first column is `field`. */
function fieldTable(path: string): readonly string[] {
  const lines = textOf(path).split('\n').map(squeeze)
  const head = lines.findIndex((line) => line.startsWith('| field |'))
  if (head === -1) return []
  const rows = lines.slice(head + 2)
  return rows.slice(
    0,
    rows.findIndex((line) => !line.startsWith('|')),
  )
}

function tableRows(path: string, pattern: RegExp): readonly string[] {
  return textOf(path)
    .split('\n')
    .map(squeeze)
    .filter((line) => pattern.test(line))
}
