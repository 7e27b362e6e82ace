import { BROKEN_MESSAGE } from './behaviours.ts'
import { behave } from './fixtures/fake.ts'
import { describeSandboxDriver } from './sandbox-driver.ts'
import { FakeDriver } from '#invoker/sandbox/fake/driver'

describeSandboxDriver({
  name: 'fake',
  makeDriver: async () =>
    new FakeDriver({
      programOf: (code) => {
        if (code.files.some(({ path }) => path === 'broken')) throw new TypeError(BROKEN_MESSAGE)
        return behave
      },
      script: { rests: true },
    }),
  fixtures: [
    {
      name: 'program',
      spec: { runtime: 'js', concurrency: 4 },
      artifact: async () => new Map([['program', Buffer.from('behave')]]),
      broken: async () => new Map([['broken', Buffer.from('broken')]]),
    },
  ],
  skip: [
    {
      reason: 'its programs run in this process and are handed no files and no network: there is nothing to prove',
      tests: ['hides the files of the host', 'hides the network of the host'],
    },
  ],
})
