import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { EXIT } from '#cli/exit'
import { tempDir, type TempDir } from '#test/temp-dir'

import { deployJs, UPPER } from './functions.ts'
import { hearth as run, startHearth, type RunningHearth } from './hearth.ts'

describe('several instances', () => {
  let dir: TempDir
  let one: RunningHearth
  const settings = (name: string): Record<string, string> => ({
    HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    HEARTH_DATA_DIR: join(dir.path, name),
    HEARTH_CACHE_DIR: join(dir.path, 'cache'),
  })

  beforeAll(async () => {
    dir = await tempDir()
    one = await startHearth(settings('one'))
  })
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  it('run side by side with data of their own', async () => {
    await using two = await startHearth(settings('two'))
    expect((await deployJs(one, 'up', UPPER)).status).toBe(201)
    expect((await two.fn('up')).status).toBe(404)
    expect((await deployJs(two, 'up', UPPER)).status).toBe(201)
    const answers = await Promise.all([one, two].map((each) => each.fn('up', { method: 'POST', body: 'a' })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(one.token).not.toBe(two.token)
  })

  it('cannot share a data directory', async () => {
    const { code, stdout, stderr } = await run(['serve'], { ...settings('one'), HEARTH_PORT: '0' })
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' })
    expect(stderr).toContain(`the data directory ${join(dir.path, 'one')} is in use by process`)
    expect(stderr).toContain(one.url)
    expect(stderr).toContain('HEARTH_DATA_DIR')
  })

  it('cannot share a port', async () => {
    const port = new URL(one.url).port
    const { code, stderr } = await run(['serve'], { ...settings('three'), HEARTH_PORT: port })
    expect(code).toBe(EXIT.usage)
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`)
    expect(stderr).toContain('HEARTH_PORT')
  })

  it('refuse a setting that is not one', async () => {
    const { code, stderr } = await run(['serve'], { ...settings('three'), HEARTH_PROT: '1' })
    expect(code).toBe(EXIT.usage)
    expect(stderr).toContain('HEARTH_PROT is not a setting: did you mean HEARTH_PORT?')
  })
})
