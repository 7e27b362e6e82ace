// What `hearth serve` says when it is ready: for people, or with --json one line for programs.
import type { DriverStatus } from '#core/invoker'

import type { Colors } from '../terminal.ts'
import { VERSION } from '../version.ts'

export interface Ready {
  readonly url: string
  /** Where the admin token is. */
  readonly token: string
  readonly drivers: readonly DriverStatus[]
  readonly dataDir: string
  readonly redis: string
  /** A function that can be called now, if there is one. */
  readonly callable: string | undefined
  readonly startedInMs: number
}

export function banner(ready: Ready, colors: Colors): string {
  const { url, token, drivers, dataDir, redis, callable } = ready
  const name = (text: string): string => colors.dim(text.padEnd(8))
  return [
    '',
    `  ${colors.bold('Hearth')} ${VERSION} is ready at ${colors.bold(colors.green(url))} ${colors.dim(`(${(ready.startedInMs / 1000).toFixed(1)} s)`)}`,
    '',
    `  ${name('token')} ${token}`,
    ...drivers.map((driver) => `  ${name(driver.name)} ${driverText(driver, colors)}`),
    `  ${name('redis')} ${redis}`,
    `  ${name('data')} ${dataDir}`,
    `  ${name('docs')} ${url}/docs`,
    '',
    `  ${name('try')} curl ${callable === undefined ? `${url}/healthz` : `${url}/fn/${callable}`}`,
    `  ${name('')} npx hearth deploy functions/hello-js    ${colors.dim('npx hearth help')}`,
    '',
    '',
  ].join('\n')
}

export function bannerJson(ready: Ready): string {
  return `${JSON.stringify({ ready: true, version: VERSION, pid: process.pid, ...ready })}\n`
}

function driverText(driver: DriverStatus, colors: Colors): string {
  return driver.on ? `${colors.green('on')}   ${driver.detail}` : `${colors.yellow('off')}  ${driver.reason}`
}
