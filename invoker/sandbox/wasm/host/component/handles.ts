// The resources of the host that a guest holds, by the numbers that it has for them.

interface Held {
  readonly resource: string
  readonly value: object
}

export class Handles {
  readonly #held = new Map<number, Held>()
  #last = 0

  /** @returns its number */
  add(resource: string, value: object): number {
    this.#held.set(++this.#last, { resource, value })
    return this.#last
  }

  /** @throws WebAssembly.RuntimeError when the guest has no such thing */
  get(resource: string, handle: number): object {
    const held = this.#held.get(handle)
    if (held?.resource !== resource) throw new WebAssembly.RuntimeError('unknown handle index')
    return held.value
  }

  /** The guest has it no longer. @throws as `get` */
  take(resource: string, handle: number): object {
    const value = this.get(resource, handle)
    this.#held.delete(handle)
    return value
  }
}
