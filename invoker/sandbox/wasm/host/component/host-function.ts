// Finds what a component imports among what the host has, by the names of WIT. Functions, constructors, methods and
// static functions of resources, in JavaScript as jco has them.
import { camelCase } from './types.ts'

/** By the names of interfaces without versions. */
export type HostImports = Readonly<Record<string, object>>

type Call = (args: readonly unknown[]) => unknown
type Class = (new (...args: never[]) => object) & Record<string, unknown>

const NAME = /^\[(constructor|method|static)\]([a-z0-9-]+)(?:\.([a-z0-9-]+))?$/i

/** What is not there traps when it is called, as what the host cannot do. */
export function hostFunction(imports: HostImports, from: string, name: string): Call {
  const group = own(imports, from) as object | undefined
  const [, kind, resource = '', member = ''] = NAME.exec(name) ?? []
  if (kind === undefined) return callable(own(group, camelCase(name))) ?? notHere(from, name)
  const found = own(group, pascalCase(resource)) as Class | undefined
  if (found === undefined) return notHere(from, name)
  if (kind === 'constructor') return (args) => new found(...(args as never[]))
  const wanted = camelCase(member)
  if (kind === 'static') return callable(own(found, wanted), found) ?? notHere(from, name)
  return methodOf(found, wanted) ?? notHere(from, name)
}

function methodOf(resource: Class, name: string): Call | undefined {
  const methods = resource.prototype as Readonly<Record<string, unknown>>
  const method = name in Object.prototype ? undefined : methods[name]
  if (typeof method !== 'function') return undefined
  return ([self, ...args]) => {
    // What a function gives is what the component says it gives.
    if (self instanceof resource) return Reflect.apply(method, self, args)
    throw new WebAssembly.RuntimeError('unknown handle index')
  }
}

function callable(found: unknown, self?: unknown): Call | undefined {
  if (typeof found !== 'function') return undefined
  return (args) => Reflect.apply(found, self, args)
}

/** Not what every object or function has. */
function own(object: object | undefined, name: string): unknown {
  if (object === undefined || !Object.hasOwn(object, name)) return undefined
  return (object as Readonly<Record<string, unknown>>)[name]
}

function notHere(from: string, name: string): Call {
  return () => {
    throw new WebAssembly.RuntimeError(`unreachable: ${from}.${name} is not available`)
  }
}

function pascalCase(name: string): string {
  const camel = camelCase(name)
  return camel.slice(0, 1).toUpperCase() + camel.slice(1)
}
