// HTML from text, safely.

/** Text that is already HTML. */
export interface Html {
  readonly html: string
}

type Piece = Html | string | number | undefined | readonly (Html | string)[]

/** A template whose values are escaped, unless they are Html themselves; lists are joined, undefined is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  return { html: strings.map((string, index) => string + render(values[index])).join('') }
}

/** Prose with `code` and blank lines between paragraphs. */
export function prose(text: string): Html {
  const paragraphs = text.split(/\n\s*\n/).map((paragraph) => html`<p>${inline(paragraph)}</p>`)
  return html`${paragraphs}`
}

/** A line of prose with `code`. */
export function inline(text: string): Html {
  const pieces = text.split('`').map((piece, index) => (index % 2 === 0 ? html`${piece}` : html`<code>${piece}</code>`))
  return html`${pieces}`
}

function render(value: Piece): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map(render).join('')
  if (typeof value === 'object') return (value as Html).html
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
