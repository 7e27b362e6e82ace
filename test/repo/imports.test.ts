// Layering is a test, not only a lint rule: a rule that is switched off still fails here.
import { describe, expect, it } from 'vitest'

import { unlistedPackages, wrongImports } from './imports.ts'
import { sources, textOf } from './sources.ts'

const OURS = /^(?:core|store|gateway|invoker|runtimes|cli|scripts|bench|test)\/.*\.(?:ts|mjs)$/

describe('layering', () => {
  it('holds in every source', () => {
    expect(sources(OURS).flatMap(wrongImports)).toEqual([])
  })

  it.each([
    ['core/record.ts', `import { openStore } from '#store/store'`, 'core may import nothing of ours'],
    ['gateway/routes/invoke.ts', `import { place } from '#invoker/pool/place'`, 'gateway may import core'],
    [
      'invoker/async/consumer.ts',
      `import type {\n  Router,\n} from '../../gateway/router.ts'`,
      'invoker may import core',
    ],
    ['gateway/server.ts', `const Redis = await import('ioredis')`, 'this vendor belongs in'],
    ['gateway/sources/amqp/source.ts', `import { connect } from 'mqtt'`, 'this vendor belongs in'],
    ['store/keys.ts', `import { parse } from '../core/spec.ts'`, 'across layers it is #core/…'],
    ['runtimes/js/prelude.ts', `import '../../core/ids.ts'`, 'runtimes may import nothing of ours'],
  ])('finds a planted import in %s', (path, text, reason) => {
    expect(wrongImports({ path, text })).toEqual([expect.stringContaining(reason)])
  })

  it('allows what the layers may use', () => {
    const text = `import { parse } from '#core/spec'\nimport Fastify from 'fastify'\nimport { x } from './x.ts'`
    expect(wrongImports({ path: 'gateway/server.ts', text })).toEqual([])
  })
})

describe('packages', () => {
  it('that sources import are listed in package.json', () => {
    const manifest = JSON.parse(textOf('package.json')) as Record<string, Record<string, string>>
    const listed = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
    // What runs in a sandbox and the peers of the benchmarks have packages of their own.
    const checked = sources(OURS).filter(({ path }) => !/^(?:runtimes|test\/repo|bench\/peers)\//.test(path))
    expect(checked.flatMap((source) => unlistedPackages(source, listed))).toEqual([])
  })

  it('are pinned to exact versions', () => {
    const manifest = JSON.parse(textOf('package.json')) as Record<string, Record<string, string>>
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([])
  })
})
