// The smallest function there is: a fetch handler. `env` holds what the spec's "env" says.
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url)
    const name = searchParams.get('name') ?? env.GREETED ?? 'world'
    return new Response(`Hello, ${name}! You asked for ${pathname}.\n`)
  },
}
