/** What marks containers and images as Hearth's. */
export const LABELS = {
  /** On images: the runtime, or `base-` and the runtime. */
  image: 'dev.hearth.image',
  /** The installation that made the container: its data directory, so that neighbours leave it alone. */
  installation: 'dev.hearth.installation',
  /** Which process of the installation made it. */
  process: 'dev.hearth.process',
  sandbox: 'dev.hearth.sandbox',
  runtime: 'dev.hearth.runtime',
} as const
