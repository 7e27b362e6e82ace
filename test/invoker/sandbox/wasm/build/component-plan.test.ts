import { readFile } from 'node:fs/promises'

import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'

import { planOf } from '#invoker/sandbox/wasm/build/component-plan'

const HANDLE = 'wasi:http/incoming-handler@0.2.0#handle'

/** A component that takes a request and a response-outparam, with `more` in its core and outside. */
function component({ options = '', instances = '', more = '' } = {}): string {
  return `(component
    (import "wasi:http/types@0.2.3" (instance $types
      (export "incoming-request" (type $request (sub resource)))
      (export "alias" (type (eq $request)))
      (export "response-outparam" (type $out (sub resource)))
      (type $pair (tuple u8 string))
      (type $of (variant (case "none") (case "some" $pair)))
      (type $self (borrow $request))
      (export "[method]incoming-request.odd"
        (func (param "self" $self) (param "n" u64) (result (option $of))))))
    (alias export $types "alias" (type $request))
    (alias export $types "response-outparam" (type $out))
    (alias export $types "[method]incoming-request.odd" (func $odd))
    (core module $memory (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
    (core instance $m (instantiate $memory))
    ${instances}
    (core func $odd (canon lower (func $odd) (memory (core memory $m "memory")) (realloc (core func $m "realloc")) ${options}))
    (core func $drop (canon resource.drop $request))
    (core module $main
      (import "host" "odd" (func (param i32 i64 i32)))
      (import "host" "drop" (func (param i32)))
      (func (export "${HANDLE}") (param i32 i32)))
    (core instance $host (export "odd" (func $odd)) (export "drop" (func $drop)))
    (core instance $main (instantiate $main (with "host" (instance $host))))
    (type $own-request (own $request))
    (type $own-out (own $out))
    (func $handle (param "request" $own-request) (param "out" $own-out) (canon lift (core func $main "${HANDLE}")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
    ${more})`
}

describe('planOf()', () => {
  it('says how the cores of a component come together, and what they are given', async () => {
    const planned = planOf(await parse(component()))
    expect(planned?.cores.size).toBe(2)
    const { plan } = planned!
    expect(plan.instances).toEqual([
      { core: '0', imports: [] },
      {
        items: [
          ['odd', { function: 0 }],
          ['drop', { function: 1 }],
        ],
      },
      { core: '1', imports: [['host', 1]] },
    ])
    expect(plan.functions).toMatchObject([
      {
        kind: 'lower',
        interface: 'wasi:http/types',
        name: '[method]incoming-request.odd',
        memory: { instance: 0, name: 'memory' },
        realloc: { instance: 0, name: 'realloc' },
      },
      { kind: 'drop', resource: 'wasi:http/types.incoming-request' },
    ])
    expect(plan.handle).toEqual({ instance: 2, name: HANDLE })
    expect(plan.takes).toEqual(['wasi:http/types.incoming-request', 'wasi:http/types.response-outparam'])
  })

  it('has the types of what is imported, each after those that it is made of', async () => {
    const { types, functions } = planOf(await parse(component()))!.plan
    const [odd] = functions
    if (odd?.kind !== 'lower') throw new Error('expected the function')
    const [self, number] = odd.params
    expect(types[self as number]).toEqual({ kind: 'borrow', resource: 'wasi:http/types.incoming-request' })
    expect(number).toBe('u64')
    const option = types[odd.result as number]
    if (option?.kind !== 'option') throw new Error('expected the option')
    const variant = types[option.item as number]
    if (variant?.kind !== 'variant') throw new Error('expected the variant')
    expect(variant.cases[0]).toEqual(['none', null])
    expect(types[variant.cases[1]?.[1] as number]).toEqual({ kind: 'tuple', items: ['u8', 'string'] })
    expect(option.item as number).toBeLessThan(odd.result as number)
  })

  it('reads what toolchains write', async () => {
    const hello = new URL('../../../../../functions/hello-wasm/main.wasm', import.meta.url)
    const planned = planOf(await readFile(hello))
    expect(planned?.cores.size).toBe(3)
    expect(planned?.plan.handle).toMatchObject({ name: HANDLE })
  })

  it.each([
    ['texts in UTF-16', { options: 'string-encoding=utf16' }],
    ['a core that is there twice', { instances: '(core instance (instantiate $memory))' }],
    ['a resource of its own', { more: '(type (resource (rep i32)))' }],
    ['an import that is no interface', { more: '(import "f" (func))' }],
  ])('leaves a component to jco that has %s', async (_what, parts) => {
    expect(planOf(await parse(component(parts)))).toBeUndefined()
  })

  it('leaves a component to jco that does not export the handler as toolchains do', async () => {
    expect(planOf(await parse(component().replaceAll(`"${HANDLE}"`, '"elsewhere"')))).toBeUndefined()
    expect(planOf(await parse('(component)'))).toBeUndefined()
  })
})
