// The views through which glue writes into guests' memories. They note what they write in the guest's map of written
// blocks, as the guest's own code does (build/written-map.ts): what was not noted would survive a restore.
import { WRITTEN } from '../artifact.ts'

/** By the buffers of the memories that are watched. A buffer that is not here is not watched. */
const maps = new WeakMap<ArrayBufferLike, Uint8Array>()

/** From now on what glue writes into `buffer` is noted in `map`. */
export function watch(buffer: ArrayBuffer, map: Uint8Array): void {
  maps.set(buffer, map)
}

function note(map: Uint8Array, offset: number, length: number): void {
  const last = (offset + length - 1) >>> WRITTEN.blockShift
  for (let block = offset >>> WRITTEN.blockShift; block <= last; block++) map[block] = 1
}

class WatchedDataView extends DataView<ArrayBuffer> {
  readonly #map: Uint8Array | undefined

  constructor(buffer: ArrayBuffer, offset?: number, length?: number) {
    super(buffer, offset, length)
    this.#map = maps.get(buffer)
  }

  override setInt8(offset: number, value: number): void {
    super.setInt8(offset, value)
    this.#note(offset, 1)
  }

  override setUint8(offset: number, value: number): void {
    super.setUint8(offset, value)
    this.#note(offset, 1)
  }

  override setInt16(offset: number, value: number, little?: boolean): void {
    super.setInt16(offset, value, little)
    this.#note(offset, 2)
  }

  override setUint16(offset: number, value: number, little?: boolean): void {
    super.setUint16(offset, value, little)
    this.#note(offset, 2)
  }

  override setInt32(offset: number, value: number, little?: boolean): void {
    super.setInt32(offset, value, little)
    this.#note(offset, 4)
  }

  override setUint32(offset: number, value: number, little?: boolean): void {
    super.setUint32(offset, value, little)
    this.#note(offset, 4)
  }

  override setFloat16(offset: number, value: number, little?: boolean): void {
    super.setFloat16(offset, value, little)
    this.#note(offset, 2)
  }

  override setFloat32(offset: number, value: number, little?: boolean): void {
    super.setFloat32(offset, value, little)
    this.#note(offset, 4)
  }

  override setFloat64(offset: number, value: number, little?: boolean): void {
    super.setFloat64(offset, value, little)
    this.#note(offset, 8)
  }

  override setBigInt64(offset: number, value: bigint, little?: boolean): void {
    super.setBigInt64(offset, value, little)
    this.#note(offset, 8)
  }

  override setBigUint64(offset: number, value: bigint, little?: boolean): void {
    super.setBigUint64(offset, value, little)
    this.#note(offset, 8)
  }

  #note(offset: number, length: number): void {
    if (this.#map !== undefined) note(this.#map, this.byteOffset + offset, length)
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- what TypeScript asks of a class that is extended so
type ArrayClass = new (...given: any[]) => ArrayBufferView

/** An array over a watched memory counts as written to in whole: it cannot tell when it is. */
function watched<C extends ArrayClass>(original: C): C {
  return class extends original {
    // oxlint-disable-next-line typescript/no-explicit-any -- as above
    constructor(...given: any[]) {
      super(...given)
      const map = this.byteLength === 0 ? undefined : maps.get(this.buffer)
      if (map !== undefined) note(map, this.byteOffset, this.byteLength)
    }

    // Glue asks whether what the host gave it is one.
    static override [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof original
    }
  }
}

/** All there are: a way to write that is not here would not be noted. */
export const watchedViews = {
  DataView: WatchedDataView,
  Int8Array: watched(Int8Array),
  Uint8Array: watched(Uint8Array),
  Uint8ClampedArray: watched(Uint8ClampedArray),
  Int16Array: watched(Int16Array),
  Uint16Array: watched(Uint16Array),
  Int32Array: watched(Int32Array),
  Uint32Array: watched(Uint32Array),
  BigInt64Array: watched(BigInt64Array),
  BigUint64Array: watched(BigUint64Array),
  Float16Array: watched(Float16Array),
  Float32Array: watched(Float32Array),
  Float64Array: watched(Float64Array),
}
