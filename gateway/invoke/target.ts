// Reads /fn/{name}/{path…} without decoding anything: what is below the name is the function's.

export const FUNCTION_PREFIX = '/fn/'
const SLASH = 47
const QUESTION_MARK = 63

export interface InvokeTarget {
  /** `name` or `name@version`, not checked. */
  readonly selector: string
  /** Path below the function and raw query, starting with `/`. */
  readonly target: string
}

/** @param url a request target that starts with FUNCTION_PREFIX */
export function parseTarget(url: string): InvokeTarget {
  let end = FUNCTION_PREFIX.length
  while (end < url.length && url.charCodeAt(end) !== SLASH && url.charCodeAt(end) !== QUESTION_MARK) end++
  const selector = url.slice(FUNCTION_PREFIX.length, end)
  if (end === url.length) return { selector, target: '/' }
  const rest = url.slice(end)
  return { selector, target: rest[0] === '/' ? rest : `/${rest}` }
}

/** The path and query of a request target: proxies send the absolute form, `http://host/path`. */
export function originForm(url: string): string {
  if (url[0] === '/') return url
  const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(url)?.[1]
  if (path === undefined) return url
  return path[0] === '/' ? path : `/${path}`
}
