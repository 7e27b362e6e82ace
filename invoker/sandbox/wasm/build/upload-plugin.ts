// Keeps esbuild inside the upload: what it resolves must lie in the upload's directory, and no file of the upload can
// point it elsewhere.
import { readFile } from 'node:fs/promises'
import { dirname, sep } from 'node:path'

import type { Loader, Plugin } from 'esbuild'

import { HOST_MODULE } from './prelude.ts'

/** How the entry module names the prelude; resolved for the entry module alone. */
export const PRELUDE = 'hearth:prelude'

const RESOLVING = Symbol('resolving')

/** @param entryFile the absolute path that stands for the generated entry module */
export function onlyUpload(dir: string, entryFile: string, prelude: string): Plugin {
  const inside = (path: string): boolean => path.startsWith(dir + sep)
  return {
    name: 'only-upload',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async ({ path, importer, kind, namespace, pluginData, resolveDir }) => {
        if (pluginData === RESOLVING) return undefined
        if (namespace === PRELUDE && path === HOST_MODULE) return { path, external: true }
        if (importer === entryFile && path === PRELUDE) return { path, namespace: PRELUDE }
        const found = await build.resolve(path, { importer, kind, resolveDir, pluginData: RESOLVING })
        if (found.errors.length > 0) return { errors: [{ text: unresolved(path) }] }
        if (found.external || !inside(found.path)) return { errors: [{ text: outside(path) }] }
        return { path: found.path, sideEffects: found.sideEffects, namespace: found.namespace }
      })
      build.onLoad({ filter: /.*/, namespace: PRELUDE }, () => ({ contents: prelude, loader: 'js' }))
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
        // A sourceMappingURL in the upload would make esbuild read whatever file it names.
        const contents = (await readFile(path, 'utf8')).replaceAll('sourceMappingURL', 'sourceMappingUrl')
        return { contents, loader: loaderOf(path), resolveDir: dirname(path) }
      })
    },
  }
}

function loaderOf(path: string): Loader {
  const extension = path.slice(path.lastIndexOf('.') + 1)
  if (extension === 'tsx') return 'tsx'
  // JSX in a .js file is common, and costs nothing to accept.
  return extension.endsWith('ts') ? 'ts' : 'jsx'
}

function unresolved(path: string): string {
  if (path.startsWith('.') || path.startsWith('/')) return `Could not resolve "${path}": the upload has no such file`
  if (path.startsWith('node:')) {
    return `"${path}" is a module of Node: give the function the runtime "node", which has it`
  }
  if (path.includes(':')) return `Could not resolve "${path}": only uploaded files and packages can be imported`
  const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/')
  return `Could not resolve "${path}": the upload has no package "${name}". Run "npm install ${name}" in the function's folder before you deploy it.`
}

function outside(path: string): string {
  return `"${path}" lies outside the upload: only uploaded files can be imported`
}
