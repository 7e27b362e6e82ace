// A JSON Schema as a table that people can read.
import type { OpenApiDocument } from '../openapi/document.ts'
import type { Schema } from '../openapi/operation.ts'
import { html, inline } from './html.ts'
import type { Html } from './html.ts'

export function schemaTable(name: string, document: OpenApiDocument): Html {
  const { properties = {}, required = [] } = document.components.schemas[name] as {
    properties?: Record<string, Schema>
    required?: readonly string[]
  }
  const rows = Object.entries(properties).map(([key, schema]) => {
    const need = required.includes(key) ? html` <span class="need">always</span>` : undefined
    const text = typeof schema.description === 'string' ? inline(schema.description) : undefined
    const preset = schema.default === undefined ? undefined : html`<code>${JSON.stringify(schema.default)}</code>`
    return html`<tr>
      <th><code>${key}</code>${need}</th>
      <td class="type">${typeOf(schema)}</td>
      <td>${preset}</td>
      <td>${text}</td>
    </tr>`
  })
  return html`<div class="table">
    <table>
      ${rows}
    </table>
  </div>`
}

/** `integer 1–100`, `js | node`, `array of string` … */
export function typeOf(schema: Schema): string {
  const { $ref, type, items, minimum, maximum } = schema
  if (typeof $ref === 'string') return $ref.slice($ref.lastIndexOf('/') + 1)
  if (Array.isArray(schema.enum)) return schema.enum.length > 8 ? 'string, one of a fixed set' : schema.enum.join(' | ')
  if (type === 'array') return `array of ${typeOf((items ?? {}) as Schema)}`
  const name = typeof type === 'string' ? type : 'any'
  return typeof minimum === 'number' && typeof maximum === 'number' ? `${name} ${minimum}–${maximum}` : name
}
