// A component of wasi:http for spare workers to practise with: does what most of them do in a call. Assembled here, so
// that it is there when the host starts.
import { FORMAT } from '../artifact.ts'
import type { ComponentPlan, ComponentType, CoreExport, HostFunction, TypeRef } from '../component-plan.ts'
import { moduleOf, section, sized, text } from './assembler.ts'
import { sequence, valueTypes } from './component/types.ts'
import type { LoadMessage } from './messages.ts'

const CORE_TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const
const { i32: I32 } = CORE_TYPES
const FUNCTION = 0x60
const GET = 0x20
const SET = 0x21
const TEE = 0x22
const GLOBAL_GET = 0x23
const GLOBAL_SET = 0x24
const LOAD = [0x28, 2, 0]
const NUMBER = 0x41
const LONG = 0x42
const ADD = 0x6a
const SUB = 0x6b
const AND = 0x71
const CALL = 0x10
const END = 0x0b
/** Addresses and lengths, each a byte in LEB128. */
const TEXT = 16
const TEXT_BYTES = 8
const RESULT = 32
const OK_OF_RESULT = 36
/** 1024: what the host allocates, which is never given back. An instance is called once. */
const HEAP = [0x80, 0x08]

const FIELDS = 'wasi:http/types.fields'
const REQUEST = 'wasi:http/types.incoming-request'
const RESPONSE = 'wasi:http/types.outgoing-response'
const BODY = 'wasi:http/types.outgoing-body'
const OUT = 'wasi:http/types.response-outparam'
const STREAM = 'wasi:io/streams.output-stream'
const HTTP = 'wasi:http/types'
const MEMORY: CoreExport = { instance: 1, name: 'memory' }
const REALLOC: CoreExport = { instance: 1, name: 'cabi_realloc' }

/** Its types and what it imports, as they are written down. */
class Surface {
  readonly types: ComponentType[] = []
  readonly imports: HostFunction[] = []

  type(one: ComponentType): TypeRef {
    return this.types.push(one) - 1
  }

  own(resource: string): TypeRef {
    return this.type({ kind: 'own', resource })
  }

  borrow(resource: string): TypeRef {
    return this.type({ kind: 'borrow', resource })
  }

  option(item: TypeRef): TypeRef {
    return this.type({ kind: 'option', item })
  }

  result(ok: TypeRef | null, error: TypeRef | null): TypeRef {
    return this.type({ kind: 'result', ok, error })
  }

  /** @returns the code that calls it */
  call(from: string, name: string, params: readonly TypeRef[], result: TypeRef | null): number[] {
    const lower = { kind: 'lower', interface: from, name, params, result, memory: MEMORY, realloc: REALLOC } as const
    return [CALL, this.imports.push(lower) - 1]
  }

  drop(resource: string): number[] {
    return [CALL, this.imports.push({ kind: 'drop', resource }) - 1]
  }
}

interface Results {
  readonly string: TypeRef
  readonly header: TypeRef
  readonly http: TypeRef
  readonly write: TypeRef
}

/** What its imports give, beside resources. */
function resultsOf(surface: Surface): Results {
  const string = surface.option('string')
  const size = surface.option('u64')
  const invalid = surface.type({ kind: 'variant', cases: [['invalid-syntax', null]] })
  const closed = surface.type({ kind: 'variant', cases: [['closed', null]] })
  const errors = [['HTTP-request-body-size', size] as const, ['internal-error', string] as const]
  const code = surface.type({ kind: 'variant', cases: errors })
  return { string, header: surface.result(null, invalid), http: code, write: surface.result(null, closed) }
}

/** @returns the code of handle(request, out), whose locals are headers and then body, response and then stream */
function handler(surface: Surface): number[] {
  const results = resultsOf(surface)
  const bytes = surface.type({ kind: 'list', item: 'u8' })
  const entries = surface.type({ kind: 'list', item: surface.type({ kind: 'tuple', items: ['string', bytes] }) })
  const request = surface.borrow(REQUEST)
  const fields = surface.borrow(FIELDS)
  const ok = (resource: string): TypeRef => surface.result(surface.own(resource), null)
  const answer = surface.result(surface.own(RESPONSE), results.http)
  const http = (name: string, params: readonly TypeRef[], gives: TypeRef | null): number[] =>
    surface.call(HTTP, name, params, gives)
  const streams = surface.call.bind(surface, 'wasi:io/streams')
  return [
    [GET, 0, ...constants(RESULT)],
    http('[method]incoming-request.path-with-query', [request], results.string),
    [GET, 0],
    http('[method]incoming-request.headers', [request], surface.own(FIELDS)),
    [TEE, 2, ...constants(RESULT)],
    http('[method]fields.entries', [fields], entries),
    [GET, 2, ...surface.drop(FIELDS), GET, 0, ...surface.drop(REQUEST)],
    http('[constructor]fields', [], surface.own(FIELDS)),
    [TEE, 2, ...constants(TEXT, TEXT_BYTES, TEXT, TEXT_BYTES, RESULT)],
    http('[method]fields.append', [fields, 'string', bytes], results.header),
    [GET, 2],
    http('[constructor]outgoing-response', [surface.own(FIELDS)], surface.own(RESPONSE)),
    [TEE, 3, ...constants(RESULT)],
    http('[method]outgoing-response.body', [surface.borrow(RESPONSE)], ok(BODY)),
    [
      ...constants(OK_OF_RESULT),
      ...LOAD,
      SET,
      2,
      GET,
      1,
      ...constants(0),
      GET,
      3,
      ...constants(0),
      LONG,
      0,
      ...constants(0),
    ],
    http('[static]response-outparam.set', [surface.own(OUT), answer], null),
    [GET, 2, ...constants(RESULT)],
    http('[method]outgoing-body.write', [surface.borrow(BODY)], ok(STREAM)),
    [...constants(OK_OF_RESULT), ...LOAD, TEE, 3, ...constants(TEXT, TEXT_BYTES, RESULT)],
    streams('[method]output-stream.blocking-write-and-flush', [surface.borrow(STREAM), bytes], results.write),
    [GET, 3, ...surface.drop(STREAM), GET, 2, ...constants(0, 0, RESULT)],
    http(
      '[static]outgoing-body.finish',
      [surface.own(BODY), surface.option(surface.own(FIELDS))],
      surface.result(null, results.http),
    ),
    [END],
  ].flat()
}

/** Below 64 each. */
function constants(...values: readonly number[]): number[] {
  return values.flatMap((value) => [NUMBER, value])
}

/** (old, old size, align, size): the next multiple of `align` on the heap. */
const ALLOCATE = [
  [GLOBAL_GET, 0, GET, 2, ADD, NUMBER, 1, SUB, NUMBER, 0, GET, 2, SUB, AND, TEE, 0],
  [GET, 3, ADD, GLOBAL_SET, 0, GET, 0, END],
].flat()

/** The core types of an import, by the canonical ABI. */
function coreType(wanted: HostFunction, types: readonly ComponentType[]): number[] {
  if (wanted.kind === 'drop') return [FUNCTION, 1, I32, 0]
  const resolve = valueTypes(types)
  const takes = sequence(wanted.params.map((ref) => ['', resolve(ref)])).flat.map((type) => CORE_TYPES[type])
  const gives = wanted.result === null ? [] : resolve(wanted.result).flat.map((type) => CORE_TYPES[type])
  if (gives.length > 1) return [FUNCTION, takes.length + 1, ...takes, I32, 0]
  return [FUNCTION, takes.length, ...takes, gives.length, ...gives]
}

function coreOf({ types, imports }: Surface, code: readonly number[]): Uint8Array {
  const count = imports.length
  const importTypes = imports.flatMap((each) => coreType(each, types))
  const names = imports.flatMap((_, index) => [...text('host'), ...text(String(index)), 0, index])
  const allocateType = [FUNCTION, 4, I32, I32, I32, I32, 1, I32]
  const handleType = [FUNCTION, 2, I32, I32, 0]
  return moduleOf([
    section(1, [count + 2, ...importTypes, ...allocateType, ...handleType]),
    section(2, [count, ...names]),
    section(3, [2, count, count + 1]),
    section(5, [1, 1, 1, 1]),
    section(6, [1, I32, 1, NUMBER, ...HEAP, END]),
    section(7, [3, ...text(MEMORY.name), 2, 0, ...text(REALLOC.name), 0, count, ...text('handle'), 0, count + 1]),
    section(10, [2, ...sized([0, ...ALLOCATE]), ...sized([1, 2, I32, ...code])]),
    section(11, [1, 0, NUMBER, TEXT, END, ...text('practice')]),
  ])
}

/** As a worker would be given it to load. */
export function practiceComponent(): LoadMessage {
  const surface = new Surface()
  const core = new WebAssembly.Module(coreOf(surface, handler(surface)))
  const plan: ComponentPlan = {
    types: surface.types,
    functions: surface.imports,
    instances: [
      { items: surface.imports.map((_, index) => [String(index), { function: index }] as const) },
      { core: 'main', imports: [['host', 0]] },
    ],
    handle: { instance: 1, name: 'handle' },
    takes: [REQUEST, OUT],
  }
  return {
    kind: 'load',
    spec: { env: {}, memoryMiB: 64, instances: 'fresh' },
    manifest: {
      format: FORMAT,
      world: 'wasi-http',
      engine: 'none',
      glue: '',
      cores: { main: '' },
      resettable: false,
      async: true,
      export: '',
    },
    plan,
    gluePath: '',
    glueCode: undefined,
    modules: new Map([['main', core]]),
  }
}
