import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { describe, expect, it } from 'vitest'

import { COMMANDS } from '#cli/commands'
import { EXIT } from '#cli/exit'
import { runCli } from '#cli/main'
import { recordedTerminal } from '#test/cli/terminal'
import { tempDir } from '#test/temp-dir'

describe('hearth', () => {
  it.each([[[]], [['--help']], [['help']]])('%j lists every command', async (argv) => {
    const terminal = recordedTerminal()
    expect(await runCli(argv, terminal)).toBe(EXIT.ok)
    for (const name of Object.keys(COMMANDS)) expect(terminal.stdout()).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    expect(terminal.stderr()).toBe('')
  })

  it('--version says the version of package.json', async () => {
    const terminal = recordedTerminal()
    expect(await runCli(['--version'], terminal)).toBe(EXIT.ok)
    expect(terminal.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each([
    [['deplyo'], 'there is no command "deplyo"', 'did you mean "hearth deploy"?'],
    [['frobnicate'], 'there is no command "frobnicate"', 'hearth help lists the commands'],
    [['get'], 'hearth get needs <name>', 'usage: hearth get <name>'],
    [['rm', 'a', 'b'], 'hearth rm does not take "b"', 'usage: hearth rm <name>'],
    [['ls', '--colour'], "hearth ls: Unknown option '--colour'", 'hearth ls --help lists the options'],
    [['toString'], 'there is no command "toString"', 'hearth help lists the commands'],
  ])('%j is refused with advice', async (argv, message, hint) => {
    const terminal = recordedTerminal()
    expect(await runCli(argv, terminal)).toBe(EXIT.usage)
    expect(terminal.stderr()).toBe(`error: ${message}\nhint: ${hint}\n`)
    expect(terminal.stdout()).toBe('')
  })

  it('refuses a setting that is not one, before it does anything', async () => {
    const terminal = recordedTerminal({ env: { HEARTH_PROT: '1' } })
    expect(await runCli(['ls'], terminal)).toBe(EXIT.usage)
    expect(terminal.stderr()).toContain('HEARTH_PROT is not a setting: did you mean HEARTH_PORT?')
  })

  it('says how to start Hearth when none runs', async () => {
    await using dir = await tempDir()
    const terminal = recordedTerminal({ env: { HEARTH_DATA_DIR: dir.path } })
    expect(await runCli(['ls'], terminal)).toBe(EXIT.unreachable)
    expect(terminal.stderr()).toContain(`error: no Hearth runs on the data directory ${dir.path}`)
    expect(terminal.stderr()).toContain('hint: start it with "npm start"')
  })

  it('says so when nothing listens at HEARTH_URL', async () => {
    await using dir = await tempDir()
    const terminal = recordedTerminal({ env: { HEARTH_DATA_DIR: dir.path, HEARTH_URL: 'http://127.0.0.1:9' } })
    expect(await runCli(['ls'], terminal)).toBe(EXIT.unreachable)
    expect(terminal.stderr()).toContain('cannot connect to Hearth at http://127.0.0.1:9')
  })

  it.each<[string, (res: ServerResponse) => void]>([
    ['ends', (res) => res.end()],
    ['breaks off', (res) => res.destroy()],
  ])('says so when a stream that it follows %s', async (_, close) => {
    await using dir = await tempDir()
    const server = createServer((_req, res) => {
      res.write('data: {"at":0,"stream":"stdout","text":"hello","invocation":"x"}\n\n', () => setImmediate(close, res))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const terminal = recordedTerminal({ env: { HEARTH_DATA_DIR: dir.path, HEARTH_URL: url } })
    expect(await runCli(['logs', 'up', '-f'], terminal)).toBe(EXIT.unreachable)
    expect(terminal.stdout()).toContain('hello')
    expect(terminal.stderr()).toContain('error: the connection to Hearth broke off')
    server.close()
  })
})

describe.each(Object.entries(COMMANDS))('hearth %s', (name, { load }) => {
  it('--help has usage, options and examples that parse', async () => {
    const terminal = recordedTerminal()
    expect(await runCli([name, '--help'], terminal)).toBe(EXIT.ok)
    const command = await load()
    expect(command.name).toBe(name)
    for (const part of [`Usage: hearth ${name}`, '--json', '--help', 'Examples:', ...Object.keys(command.options)]) {
      expect(terminal.stdout()).toContain(part)
    }
    expect(command.examples.length).toBeGreaterThan(0)
  })
})
