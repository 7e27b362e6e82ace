// Core modules of a few bytes, put together by hand.

const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

export function moduleOf(sections: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([...PREAMBLE, ...sections.flat()])
}

export function section(id: number, body: readonly number[]): number[] {
  return [id, ...sized(body)]
}

/** With its length in front, in two bytes: LEB128 may be longer than it need be. */
export function sized(body: readonly number[]): number[] {
  return [(body.length & 0x7f) | 0x80, body.length >>> 7, ...body]
}

/** At most 127 bytes. */
export function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)]
}
