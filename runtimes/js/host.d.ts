// The host's side of wit/function.wit as the guest sees it. Outside declarations only.
declare module 'hearth:js/host@0.1.0' {
  interface HostRequest {
    readonly call: number
    readonly method: string
    readonly url: string
    readonly headers: readonly (readonly [string, string])[]
    readonly body: Uint8Array
    readonly invocation: string
    readonly attempt: number
    readonly deadline: number
  }
  interface HostResponse {
    readonly status: number
    readonly headers: readonly (readonly [string, string])[]
    readonly body: Uint8Array
    /** A body that is text; `body` is empty then. Well-formed. */
    readonly text: string
  }
  interface HostFetched {
    readonly status: number
    readonly headers: readonly (readonly [string, string])[]
    readonly body: Uint8Array
    readonly url: string
    readonly redirected: boolean
  }
  type Redirect = 'follow' | 'manual' | 'error'
  /** A future of the component model: not thenable, read once. */
  interface HostFuture<T> {
    read(): Promise<T>
    /** A read that is under way rejects. */
    cancelRead(): unknown
    /** Gives the handle back. Not while a read is under way. */
    drop(): void
  }
  type FetchResult = { readonly tag: 'ok'; readonly val: HostFetched } | { readonly tag: 'err'; readonly val: string }
  const host: {
    log(call: number, level: number, message: string): void
    random(count: number): Uint8Array
    now(): number
    environment(): [string, string][]
    sleep(ms: number): HostFuture<number>
    fetch(outgoing: HostRequest, redirect: Redirect): HostFuture<FetchResult>
    emitHead(call: number, status: number, headers: readonly (readonly [string, string])[]): void
    emitChunk(call: number, bytes: Uint8Array): void
    emitEnd(call: number): void
    fail(call: number, failure: { name: string; message: string; stack: string }): boolean
    cancelled(call: number): HostFuture<number>
  }
  export default host
  /** StarlingMonkey gives the functions as names of the module. */
  export function environment(): [string, string][]
  export function emitHead(call: number, status: number, headers: readonly (readonly [string, string])[]): void
  export function emitChunk(call: number, bytes: Uint8Array): void
  export function emitEnd(call: number): void
  export type { FetchResult, HostFetched, HostFuture, HostRequest, HostResponse, Redirect }
}
