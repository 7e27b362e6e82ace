// A fetch handler on Node.js in a container, with a dependency from npm: package.json names it, and `hearth deploy`
// sends it along. `curl` gets colours, everybody else plain text.
import colors from 'picocolors'

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url)
    const name = searchParams.get('name') ?? env.GREETED ?? 'world'
    const terminal = request.headers.get('user-agent')?.startsWith('curl/') ?? false
    const { bold, green } = colors.createColors(terminal)
    return new Response(`Hello, ${bold(green(name))}! This is Node.js ${process.version}.\n`)
  },
}
