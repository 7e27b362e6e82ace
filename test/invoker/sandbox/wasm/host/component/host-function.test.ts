import { describe, expect, it } from 'vitest'

import { hostFunction } from '#invoker/sandbox/wasm/host/component/host-function'

class Base {
  headers(): string {
    return 'of all messages'
  }
}

class OutgoingResponse extends Base {
  readonly status: number

  constructor(status: number) {
    super()
    this.status = status
  }

  statusCode(): number {
    return this.status
  }

  static of(one: OutgoingResponse): number {
    return one.status
  }
}

const IMPORTS = { 'wasi:http/types': { OutgoingResponse, httpErrorCode: (code: number) => code + 1 } }

function find(name: string, from = 'wasi:http/types') {
  return hostFunction(IMPORTS, from, name)
}

describe('hostFunction()', () => {
  it('finds functions, constructors, methods, inherited ones too, and static functions', () => {
    expect(find('http-error-code')([1])).toBe(2)
    const response = find('[constructor]outgoing-response')([404])
    expect(response).toBeInstanceOf(OutgoingResponse)
    expect(find('[method]outgoing-response.status-code')([response])).toBe(404)
    expect(find('[method]outgoing-response.headers')([response])).toBe('of all messages')
    expect(find('[static]outgoing-response.of')([response])).toBe(404)
  })

  it.each([
    ['http-nothing'],
    ['to-string'],
    ['[constructor]nothing'],
    ['[method]outgoing-response.nothing'],
    ['[method]outgoing-response.constructor'],
    ['[method]outgoing-response.to-string'],
    ['[method]outgoing-response.status'],
    ['[static]outgoing-response.call'],
    ['[static]outgoing-response.bind'],
    ['[static]outgoing-response.prototype'],
  ])('gives for %s what traps', (name) => {
    expect(() => find(name)([new OutgoingResponse(200)])).toThrow(/^unreachable: .* is not available$/)
  })

  it('calls no method of another class', () => {
    const call = find('[method]outgoing-response.status-code')
    expect(() => call([{ statusCode: () => 1 }])).toThrow(WebAssembly.RuntimeError)
    expect(() => call([])).toThrow(WebAssembly.RuntimeError)
  })

  it('finds nothing in interfaces that are not there', () => {
    expect(() => find('http-error-code', 'wasi:sockets/tcp')([])).toThrow(/is not available/)
    expect(() => find('to-string', 'constructor')([])).toThrow(/is not available/)
  })
})
