// All kinds of sources. A new one is one line here.
import type { SourceKind } from '#core/trigger'

import type { EventSource } from './source.ts'

export type SourceCatalogue = Readonly<Partial<Record<SourceKind, EventSource>>>

export const SOURCES: SourceCatalogue = {}
