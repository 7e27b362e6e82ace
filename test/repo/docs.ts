// The parts of the documentation that follow from the code, as the code says them.
import { expectation } from '#core/config'
import { type Machine, OTHER_VARIABLES, SETTINGS } from '#core/settings'
import { ERRORS } from '#core/errors'
import { SPEC_FIELDS, type SpecField } from '#core/spec-fields'
import type { SourceField, SourceFields } from '#gateway/sources/fields'

/** The machine of the examples in docs/config.md: 16 GiB, checked out in /srv/hearth, user ada. */
export const EXAMPLE_MACHINE: Machine = { memoryMiB: 16_384, rootDir: '/srv/hearth', userCacheDir: '/home/ada/.cache' }

export function configRows(): readonly string[] {
  const settings = Object.values(SETTINGS).map(
    (setting) => `| \`${setting.env}\` | ${expectation(setting)} | ${setting.description} |`,
  )
  return [...settings, ...Object.entries(OTHER_VARIABLES).map(([name, text]) => `| \`${name}\` | | ${text} |`)]
}

export function errorRows(): readonly string[] {
  return Object.entries(ERRORS).map(
    ([code, { status, retryable, title, advice }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${title}. ${advice} |`,
  )
}

export function specRows(): readonly string[] {
  return Object.entries<SpecField>(SPEC_FIELDS).map(
    ([name, field]) => `| \`${name}\` | ${takes(field)} | ${shown(field.default)} | ${field.description} |`,
  )
}

/** The rows of a table of trigger or source fields. */
export function fieldRows(fields: SourceFields): readonly string[] {
  return Object.entries(fields).map(([name, field]) => {
    const preset = field.required === true ? 'must be given' : shown(field.type === 'list' ? '' : field.default)
    return `| \`${name}\` | ${takesOf(field)} | ${preset} | ${field.description} |`
  })
}

function takesOf(field: SourceField): string {
  switch (field.type) {
    case 'integer':
      return `${field.minimum} … ${field.maximum}`
    case 'flag':
      return '`true`, `false`'
    case 'choice':
      return field.choices.map((choice) => `\`${choice}\``).join(', ')
    case 'text':
    case 'list':
      return `${field.expected}${field.secret === true ? '; secret' : ''}`
    case 'url':
      return `a URL of ${field.protocols.map((protocol) => `\`${protocol}:\``).join(', ')}; its password is secret`
    default:
      return field satisfies never
  }
}

function takes(field: SpecField): string {
  switch (field.type) {
    case 'integer':
      return `${field.minimum} … ${field.maximum}`
    case 'auto-or-duration':
      return '`auto`, or a duration'
    case 'choice':
      return field.choices.map((choice) => `\`${choice}\``).join(', ')
    case 'text':
      return 'text'
    case 'list':
      return 'list of texts'
    case 'map':
      return 'object of texts'
    default:
      return field satisfies never
  }
}

function shown(value: unknown): string {
  return value === '' || value === undefined ? '' : `\`${JSON.stringify(value)}\``.replaceAll('"', '')
}

/** The fenced blocks of a Markdown text, with what follows the fence: ```sh run → `sh run`. */
export function fencedBlocks(markdown: string): readonly { readonly info: string; readonly text: string }[] {
  return [...markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    info: match[1] ?? '',
    text: match[2] ?? '',
  }))
}

/** `NAME=value` lines, as in an environment file. */
export function parseEnvBlock(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}
