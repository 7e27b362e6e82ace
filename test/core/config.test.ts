import { describe, expect, it } from 'vitest'

import { ConfigError, readConfig } from '#core/config'
import type { Machine } from '#core/settings'

const MACHINE: Machine = { memoryMiB: 10_000, rootDir: '/src/hearth', userCacheDir: '/home/ada/.cache' }

describe('readConfig()', () => {
  it('takes the defaults from the machine', () => {
    expect(readConfig({ PATH: '/bin' }, MACHINE)).toMatchObject({
      host: '127.0.0.1',
      port: 8787,
      dataDir: '/src/hearth/.hearth',
      cacheDir: '/home/ada/.cache/hearth',
      memoryMiB: 10_000 * 0.7,
    })
  })

  it('lets the environment override them', () => {
    const env = {
      HEARTH_PORT: '0',
      HEARTH_DATA_DIR: '/data',
      HEARTH_LOG_LEVEL: 'warn',
      HEARTH_REDIS_URL: 'unix:///r.sock',
    }
    expect(readConfig(env, MACHINE)).toMatchObject({
      port: 0,
      dataDir: '/data',
      logLevel: 'warn',
      redisUrl: 'unix:///r.sock',
    })
  })

  it('takes an empty variable as not set', () => {
    expect(readConfig({ HEARTH_PORT: '' }, MACHINE).port).toBe(8787)
  })

  it.each([
    ['HEARTH_PORT', '70000', 'HEARTH_PORT must be an integer in [0, 65535]: received "70000"'],
    ['HEARTH_PORT', '8e3', 'HEARTH_PORT must be an integer in [0, 65535]: received "8e3"'],
    ['HEARTH_MAX_HEADERS', '-1', 'HEARTH_MAX_HEADERS must be an integer in [16, 2000]: received "-1"'],
    ['HEARTH_LOG_LEVEL', 'loud', 'HEARTH_LOG_LEVEL must be one of debug, info, warn, error, silent: received "loud"'],
    ['HEARTH_REDIS_URL', 'http://x', 'HEARTH_REDIS_URL must be redis://…, rediss://… or unix:///path'],
    ['HEARTH_PROT', '1', 'HEARTH_PROT is not a setting: did you mean HEARTH_PORT?'],
    ['HEARTH_COLOUR_OF_THE_SKY', 'blue', 'HEARTH_COLOUR_OF_THE_SKY is not a setting (docs/config.md has them all)'],
  ])('refuses %s=%s', (name, value, message) => {
    expect(() => readConfig({ [name]: value }, MACHINE)).toThrow(ConfigError)
    expect(() => readConfig({ [name]: value }, MACHINE)).toThrow(message)
  })

  it('names every problem at once', () => {
    expect(() => readConfig({ HEARTH_PORT: 'x', HEARTH_DRAIN_MS: 'y', HEARTH_NO: '1' }, MACHINE)).toThrow(
      /HEARTH_NO.*\nHEARTH_PORT.*\nHEARTH_DRAIN_MS/,
    )
  })

  it('leaves the variables of the CLI and of the tests alone', () => {
    const env = { HEARTH_URL: 'http://127.0.0.1:1', HEARTH_TEST_REQUIRE: 'all', HEARTH_TEST_REDIS_SERVER: '/x' }
    expect(readConfig(env, MACHINE).port).toBe(8787)
  })
})
