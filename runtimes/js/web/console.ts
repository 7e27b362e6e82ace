// console: lines go to the host, which files them under the call.
import { log } from '../calls.ts'
import { format, inspect } from './inspect.ts'

const DEBUG = 0
const LOG = 1
const INFO = 2
const WARN = 3
const ERROR = 4

export function makeConsole(): Record<string, (...values: unknown[]) => void> {
  const counts = new Map<string, number>()
  const timers = new Map<string, number>()
  let indent = ''
  const write = (level: number, values: readonly unknown[]): void =>
    log(level, indent + format(values).replaceAll('\n', `\n${indent}`))
  const elapsed = (label: string): string =>
    `${label}: ${Math.round((performance.now() - (timers.get(label) ?? 0)) * 1000) / 1000}ms`
  return {
    debug: (...values) => write(DEBUG, values),
    log: (...values) => write(LOG, values),
    info: (...values) => write(INFO, values),
    warn: (...values) => write(WARN, values),
    error: (...values) => write(ERROR, values),
    trace: (...values) => write(ERROR, [`Trace: ${format(values)}\n${new Error().stack ?? ''}`.trimEnd()]),
    dir: (value) => write(LOG, [inspect(value)]),
    table: (value) => write(LOG, [inspect(value)]),
    assert(condition, ...values) {
      if (!condition) write(ERROR, values.length === 0 ? ['Assertion failed'] : ['Assertion failed:', ...values])
    },
    count(label = 'default') {
      const key = String(label)
      counts.set(key, (counts.get(key) ?? 0) + 1)
      write(LOG, [`${key}: ${counts.get(key)}`])
    },
    countReset: (label = 'default') => void counts.delete(String(label)),
    group(...values) {
      if (values.length > 0) write(LOG, values)
      indent += '  '
    },
    groupEnd() {
      indent = indent.slice(2)
    },
    time: (label = 'default') => void timers.set(String(label), performance.now()),
    timeLog: (label = 'default', ...values) => write(LOG, [elapsed(String(label)), ...values]),
    timeEnd(label = 'default') {
      write(LOG, [elapsed(String(label))])
      timers.delete(String(label))
    },
  }
}
