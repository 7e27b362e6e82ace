// Reads the settings of a Hearth process (settings.ts). Pure: the environment and the facts about the machine are
// arguments.
import { nearest } from './nearest.ts'
import { type Machine, OTHER_VARIABLES, type Setting, SETTINGS } from './settings.ts'

type Settings = typeof SETTINGS
type ValueOf<S extends Setting> = S extends { type: 'integer' }
  ? number
  : S extends { type: 'choice'; choices: readonly (infer C)[] }
    ? C
    : string
export type Config = { readonly [K in keyof Settings]: ValueOf<Settings[K]> }

/** One or more settings are wrong. `message` has a line for each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Defaults, overridden by the environment, checked.
 * @throws ConfigError naming every variable that is unknown or out of range, what was expected and what was received
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, machine: Machine): Config {
  const problems = unknownVariables(env)
  const config: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries<Setting>(SETTINGS)) {
    const text = env[setting.env]
    const value = text === undefined || text === '' ? defaultOf(setting, machine) : parse(setting, text)
    if (value === undefined)
      problems.push(`${setting.env} must be ${expectation(setting)}: received ${JSON.stringify(text)}`)
    config[key] = value
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return config as Config
}

/** What a setting takes, in words: "an integer in [0, 65535]". */
export function expectation(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `an integer in [${setting.minimum}, ${setting.maximum}]`
    case 'choice':
      return `one of ${setting.choices.join(', ')}`
    case 'text':
      return setting.expected
    default:
      return setting satisfies never
  }
}

function defaultOf(setting: Setting, machine: Machine): string | number {
  return typeof setting.default === 'function' ? setting.default(machine) : setting.default
}

function parse(setting: Setting, text: string): string | number | undefined {
  switch (setting.type) {
    case 'integer': {
      const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
      return number >= setting.minimum && number <= setting.maximum ? number : undefined
    }
    case 'choice':
      return setting.choices.includes(text) ? text : undefined
    case 'text':
      return setting.pattern.test(text) ? text : undefined
    default:
      return setting satisfies never
  }
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...Object.values(SETTINGS).map((setting) => setting.env), ...Object.keys(OTHER_VARIABLES)]
  return Object.keys(env)
    .filter((name) => /^HEARTH_(?!TEST_)/.test(name) && !known.includes(name))
    .map((name) => {
      const near = nearest(name, known)
      return `${name} is not a setting${near === undefined ? '' : `: did you mean ${near}?`} (docs/config.md has them all)`
    })
}
