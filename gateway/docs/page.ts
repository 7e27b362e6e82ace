// The page at /docs, made of the OpenAPI document: one file, no script, nothing from elsewhere.
import { readFileSync } from 'node:fs'

import { ERRORS } from '#core/errors'

import type { OpenApiDocument } from '../openapi/document.ts'
import type { Operation, Schema } from '../openapi/operation.ts'
import { PROBLEM_TYPE } from '../problem.ts'
import { curlExample } from './curl.ts'
import { html, inline, prose } from './html.ts'
import type { Html } from './html.ts'
import { schemaTable, typeOf } from './schema-table.ts'

const STYLE_PATH = new URL('style.css', import.meta.url)
/** Operations under this prefix are the same for every method: one is shown for all. */
const ANY_METHOD_PREFIX = '/fn/'

interface Entry {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

export function docsPage(document: OpenApiDocument): string {
  const style: Html = { html: readFileSync(STYLE_PATH, 'utf8') }
  const entries = entriesOf(document)
  const groups = document.tags.map((tag) => ({
    ...tag,
    entries: entries.filter(({ operation }) => operation.tags[0] === tag.name),
  }))
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API</title>
        <link rel="icon" href="data:," />
        <style>
          ${style}
        </style>
      </head>
      <body>
        <nav aria-label="Contents">
          <div class="brand">
            <span><b>◆</b> ${document.info.title}</span><small>API v${document.info.version}</small>
          </div>
          ${groups.map(
            (group) =>
              html`<h2>${group.name}</h2>
                <ul>
                  ${group.entries.map(navItem)}
                </ul>`,
          )}
          <h2>Reference</h2>
          <ul>
            <li><a href="#spec">Function spec</a></li>
            <li><a href="#problem">Errors</a></li>
            <li><a href="/openapi.json">openapi.json</a></li>
          </ul>
        </nav>
        <main>
          <h1>${document.info.title} API</h1>
          <div class="lead">${prose(document.info.description)}</div>
          ${groups.map(
            (group) =>
              html`<h2>${group.name}</h2>
                <p class="muted">${group.description}</p>
                ${group.entries.map((entry) => operationView(entry))}`,
          )}
          ${schemaSection('spec', 'Function spec', 'FunctionSpec', document)}
          ${schemaSection('problem', 'Errors', 'Problem', document)} ${errorTable()}
        </main>
      </body>
    </html> `
  return page.html
}

function entriesOf(document: OpenApiDocument): Entry[] {
  return Object.entries(document.paths).flatMap(([path, operations]) => {
    const entries = Object.entries(operations).map(([method, operation]) => ({ method, path, operation }))
    if (!path.startsWith(ANY_METHOD_PREFIX)) return entries
    const shown = entries.find(({ method }) => method === 'post')
    return shown === undefined ? [] : [{ ...shown, method: 'any' }]
  })
}

function navItem({ operation }: Entry): Html {
  return html`<li><a href="#${operation.operationId}">${operation.summary}</a></li>`
}

function operationView({ method, path, operation }: Entry): Html {
  const { description, parameters = [], requestBody, responses } = operation
  const lock = operation.security === undefined ? html`<span class="lock">token</span>` : undefined
  return html`<details class="op">
    <summary>
      <span class="method ${method}">${method.toUpperCase()}</span><span class="path">${path}</span>
      <span class="what">${operation.summary}</span>${lock}
    </summary>
    <div class="body" id="${operation.operationId}">
      ${description === undefined ? undefined : prose(description)}
      <pre><code>${curlExample({ method, path, operation })}</code></pre>
      ${
        parameters.length === 0
          ? undefined
          : html`<h3>Parameters</h3>
              ${parameterTable(parameters)}`
      }
      ${
        requestBody === undefined
          ? undefined
          : html`<h3>Body</h3>
              <p>${mediaTypes(requestBody)}</p>`
      }
      <h3>Answers</h3>
      <div class="table">
        <table>
          ${Object.entries(responses).map(responseRow)}
        </table>
      </div>
      ${Object.values(responses).flatMap(exampleOf)}
    </div>
  </details>`
}

function parameterTable(parameters: readonly Schema[]): Html {
  const rows = parameters.map((parameter) => {
    const need = parameter.required === true ? html` <span class="need">required</span>` : undefined
    const text = typeof parameter.description === 'string' ? inline(parameter.description) : undefined
    return html`<tr>
      <th><code>${String(parameter.name)}</code>${need}</th>
      <td class="type">${typeOf(parameter.schema as Schema)}</td>
      <td>${text}</td>
    </tr>`
  })
  return html`<div class="table">
    <table>
      ${rows}
    </table>
  </div>`
}

function responseRow([status, response]: [string, Schema]): Html {
  const text = typeof response.description === 'string' ? inline(response.description) : undefined
  return html`<tr>
    <th class="status s${status[0]}">${status}</th>
    <td>${text}</td>
    <td class="type">${mediaTypes(response)}</td>
  </tr>`
}

function exampleOf(response: Schema): Html[] {
  const media = Object.values((response.content ?? {}) as Record<string, Schema>)
  return media.flatMap(({ example }) =>
    example === undefined
      ? []
      : [
          html`<h3>Example</h3>
            <pre><code>${JSON.stringify(example, undefined, 2)}</code></pre>`,
        ],
  )
}

/** Those of errors are all the same and said at the top of the page. */
function mediaTypes({ content }: Schema): Html {
  const types = Object.keys(content ?? {}).filter((type) => type !== PROBLEM_TYPE)
  return html`${types.map((type, index) => html`${index === 0 ? '' : ' '}<code>${type}</code>`)}`
}

function schemaSection(id: string, title: string, name: string, document: OpenApiDocument): Html {
  return html`<h2 id="${id}">${title}</h2>
    <div class="schema">${schemaTable(name, document)}</div>`
}

function errorTable(): Html {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, title, advice }]) =>
      html`<tr>
        <th><code>${code}</code></th>
        <td class="status s${String(status)[0]}">${status}</td>
        <td>${title}. <span class="muted">${inline(advice)}</span></td>
      </tr>`,
  )
  return html`<h3>Codes</h3>
    <div class="table">
      <table>
        ${rows}
      </table>
    </div>`
}
