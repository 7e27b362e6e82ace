import { expect, test } from 'vitest'

import { seccompProfile } from '#invoker/sandbox/docker/seccomp'

interface Rule {
  readonly names: readonly string[]
  readonly action: string
  readonly args?: readonly object[]
}

const { defaultAction, syscalls } = JSON.parse(seccompProfile()) as { defaultAction: string; syscalls: readonly Rule[] }
const allowed = syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
const names = allowed.flatMap((rule) => rule.names)

test('the seccomp profile refuses what it does not name', () => {
  expect(defaultAction).toBe('SCMP_ACT_ERRNO')
})

test('the seccomp profile names every system call once, and as a name', () => {
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[a-z0-9_]+$/)
})

test.each([
  'io_uring_setup',
  'mount',
  'unshare',
  'setns',
  'ptrace',
  'bpf',
  'keyctl',
  'userfaultfd',
  'socket',
  'clone',
  'clone3',
])('the seccomp profile does not simply allow %s', (name) => {
  expect(names).not.toContain(name)
})
