/** How the driver misbehaves; read at each step, so a test may change it on the way. */
export interface FakeScript {
  createMs: number
  loadMs: number
  disposeMs: number
  /** So many of the next creates fail. */
  failCreates: number
  /** What loading comes to. A program that cannot be loaded is one whose `programOf` throws. */
  onLoad: 'load' | 'exit' | 'hang'
  /** `invoke` does not resolve when the sandbox ends under it. */
  silentDeath: boolean
  /** `responsive` does not resolve. */
  hangProbe: boolean
  /** `invoke` rejects, which the contract forbids. */
  rejectInvoke: boolean
  /** A log line comes after the outcome. */
  lateSink: boolean
}

export const HONEST: FakeScript = {
  createMs: 0,
  loadMs: 0,
  disposeMs: 0,
  failCreates: 0,
  onLoad: 'load',
  silentDeath: false,
  hangProbe: false,
  rejectInvoke: false,
  lateSink: false,
}
