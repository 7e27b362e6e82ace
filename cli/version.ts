// The version of this Hearth: what package.json says.
import manifest from '../package.json' with { type: 'json' }

export const VERSION: string = manifest.version
