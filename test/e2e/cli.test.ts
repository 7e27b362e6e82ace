// The command line against a running instance, as a user types it.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { EXIT } from '#cli/exit'
import { runCli } from '#cli/main'
import { recordedTerminal } from '#test/cli/terminal'
import { ROOT_DIR } from '#test/repo/sources'
import { tempDir, type TempDir } from '#test/temp-dir'

import { UPPER } from './functions.ts'
import { eventually, startHearth, type RunningHearth } from './hearth.ts'

const BOOM = `export default { fetch() { console.log('about to'); throw new TypeError('deliberate failure') } }`

describe('the hearth command', () => {
  let dir: TempDir
  let hearth: RunningHearth

  beforeAll(async () => {
    dir = await tempDir({
      'up.js': UPPER,
      'boom.js': BOOM,
      'bad.ts': 'export default {\n  fetch: (: Request) => 1,\n}\n',
      'app/index.ts': `import { greet } from './lib/greet.ts'\nexport default { fetch: () => new Response(greet('you')) }`,
      'app/lib/greet.ts': 'export const greet = (name: string): string => `hello ${name}`',
      'app/function.json': '{"name":"greeter","timeoutMs":2000}',
      'odd/index.js': UPPER,
      'odd/function.json': '{"memory":128}',
    })
    hearth = await startHearth({
      HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
      HEARTH_DATA_DIR: join(dir.path, 'data'),
      HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    })
    expect(await run('deploy', join(dir.path, 'up.js'))).toMatchObject({ code: EXIT.ok })
    expect(await run('deploy', join(dir.path, 'boom.js'))).toMatchObject({ code: EXIT.ok })
  })
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  async function run(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    const terminal = recordedTerminal({ env: hearth.env, input: 'from stdin' })
    const code = await runCli(argv, terminal)
    return { code, out: terminal.stdout(), err: terminal.stderr() }
  }

  it('deploys a folder by its function.json and shows the steps', async () => {
    const { code, out, err } = await run('deploy', join(dir.path, 'app'))
    expect({ code, out }).toEqual({ code: EXIT.ok, out: `✓ greeter deployed version 1\n  ${hearth.url}/fn/greeter\n` })
    expect(err).toMatch(/^deploy greeter: uploading 2 files/)
    expect(await run('invoke', 'greeter')).toEqual({ code: EXIT.ok, out: 'hello you', err: '' })
    expect(JSON.parse((await run('get', 'greeter', '--json')).out)).toMatchObject({ spec: { timeoutMs: 2000 } })
  })

  it('says when nothing has changed', async () => {
    const { code, out } = await run('deploy', join(dir.path, 'up.js'), '--json')
    expect(code).toBe(EXIT.ok)
    expect(JSON.parse(out)).toMatchObject({ function: 'up', version: 1, created: false })
  })

  it('shows the place in code that does not build', async () => {
    const { code, out, err } = await run('deploy', join(dir.path, 'bad.ts'))
    expect({ code, out }).toEqual({ code: EXIT.failed, out: '' })
    expect(err).toMatch(/error: The code does not build/)
    expect(err).toMatch(/index\.ts:2:\d+: .+\n {6}fetch: \(: Request\) => 1,\n +\^/)
  })

  it('refuses a function.json with a field that is none', async () => {
    const { code, err } = await run('deploy', join(dir.path, 'odd'))
    expect(code).toBe(EXIT.usage)
    expect(err).toContain('unknown field "memory"')
  })

  it('passes on what the server refuses in a spec', async () => {
    const { code, err } = await run('deploy', join(dir.path, 'up.js'), '--memory-mib', '1')
    expect(code).toBe(EXIT.usage)
    expect(err).toContain('memoryMiB must be an integer in [16, 65536]: received "1"')
  })

  it('invokes with data from the command line, a file and standard input', async () => {
    expect(await run('invoke', 'up', '-d', 'abc')).toEqual({ code: EXIT.ok, out: 'ABC', err: '' })
    expect((await run('invoke', 'up', '-d', `@${join(dir.path, 'odd/function.json')}`)).out).toBe('{"MEMORY":128}')
    expect((await run('invoke', 'up', '-d', '@-')).out).toBe('FROM STDIN')
  })

  it('shows status and headers with -v, on standard error', async () => {
    const { out, err } = await run('invoke', 'up', '-d', 'abc', '-v')
    expect(out).toBe('ABC')
    expect(err).toMatch(/^200 OK\n/)
    expect(err).toMatch(/hearth-start: (?:cold|warm)/)
  })

  it('tells where to look when a function fails', async () => {
    const { code, out, err } = await run('invoke', 'boom')
    expect({ code, out }).toEqual({ code: EXIT.failed, out: '' })
    const [, id = ''] = /hint: "hearth invocations (\S+)"/.exec(err) ?? []
    const shown = await eventually(
      () => run('invocations', id),
      (answer) => answer.out.includes('about to'),
    )
    expect(shown.out).toContain('function-failed: TypeError: deliberate failure')
  })

  it('takes a wrong name for a wrong command line, with no record to look at', async () => {
    const { code, err } = await run('invoke', 'Not_A_Name')
    expect(code).toBe(EXIT.usage)
    expect(err).not.toContain('hearth invocations')
  })

  it('says what is not there', async () => {
    for (const argv of [
      ['invoke', 'none'],
      ['get', 'none'],
      ['logs', 'none'],
      ['rm', 'none'],
      ['open', 'none'],
    ]) {
      const { code, err } = await run(...argv)
      expect([argv[0], code]).toEqual([argv[0], EXIT.notFound])
      expect(err).toContain('No such function')
    }
  })

  it('calls through the queue and waits for the result', async () => {
    expect(await run('invoke', 'up', '-d', 'later', '--async', '--wait')).toEqual({
      code: EXIT.ok,
      out: 'LATER',
      err: '',
    })
    const { out } = await run('invoke', 'up', '--async')
    expect(out).toMatch(/^[0-9a-f-]{36}\n$/)
  })

  it('lists functions and invocations', async () => {
    expect((await run('ls')).out).toMatch(/^NAME .*\n(?:.*\n)*up +js +1 /)
    const list = JSON.parse((await run('ls', '--json')).out) as { function: string }[]
    expect(list.map((each) => each.function)).toContain('boom')
    const { out } = await run('invocations', '--function', 'boom', '-s', 'failed', '--json')
    expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ function: 'boom', state: 'failed' }))
  })

  it('follows logs', async () => {
    const aborter = new AbortController()
    const terminal = recordedTerminal({ env: hearth.env, signal: aborter.signal })
    const following = runCli(['logs', 'boom', '-f', '-n', '1'], terminal)
    await run('invoke', 'boom')
    await eventually(
      async () => terminal.stdout().split('\n').length,
      (lines) => lines > 2,
    )
    aborter.abort()
    expect(await following).toBe(EXIT.interrupted)
    expect(terminal.stdout()).toContain('about to')
  })

  it('opens a function or the API page', async () => {
    expect((await run('open', 'up', '--print')).out).toBe(`${hearth.url}/fn/up\n`)
    expect((await run('open', '--print')).out).toBe(`${hearth.url}/docs\n`)
  })

  it('removes a function', async () => {
    expect(await run('deploy', join(dir.path, 'up.js'), '-n', 'gone')).toMatchObject({ code: EXIT.ok })
    expect(await run('rm', 'gone')).toMatchObject({ code: EXIT.ok })
    expect(await run('invoke', 'gone')).toMatchObject({ code: EXIT.notFound })
  })

  it('needs the token, and says where it comes from', async () => {
    const env = { HEARTH_URL: hearth.url, HEARTH_DATA_DIR: join(dir.path, 'elsewhere') }
    const terminal = recordedTerminal({ env })
    expect(await runCli(['ls'], terminal)).toBe(EXIT.unreachable)
    expect(terminal.stderr()).toContain('hint: set HEARTH_ADMIN_TOKEN')
    const withToken = recordedTerminal({ env: { ...env, HEARTH_ADMIN_TOKEN: hearth.token } })
    expect(await runCli(['ls'], withToken)).toBe(EXIT.ok)
  })

  it('runs as "npx hearth" from the checkout', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT_DIR, 'package.json'), 'utf8')) as { version: string }
    const child = spawn('npx', ['hearth', '--version'], { cwd: ROOT_DIR, stdio: ['ignore', 'pipe', 'inherit'] })
    expect(Buffer.concat(await child.stdout.toArray()).toString()).toBe(`${version}\n`)
  })
})
