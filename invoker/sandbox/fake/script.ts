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
  /** Its sandboxes can be paused and hibernated, and stop answering while they are. */
  rests: boolean
  pauseMs: number
  hibernateMs: number
  resumeMs: number
  /** `refuse`: it rejects. `lie`: it resolves and does nothing. `exit`: the sandbox ends under it. */
  onPause: 'pause' | 'refuse' | 'hang' | 'exit'
  onHibernate: 'hibernate' | 'refuse' | 'hang' | 'exit' | 'reject'
  onResume: 'resume' | 'refuse' | 'hang' | 'exit' | 'lie'
  /** What a hibernated one holds. */
  residentBytes: number
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
  rests: false,
  pauseMs: 0,
  hibernateMs: 0,
  resumeMs: 0,
  onPause: 'pause',
  onHibernate: 'hibernate',
  onResume: 'resume',
  residentBytes: 3 * 1024 * 1024,
  silentDeath: false,
  hangProbe: false,
  rejectInvoke: false,
  lateSink: false,
}
