// The start of every benchmark command. Measures nothing.
import pc from 'picocolors'

/** What `read` makes of the command line; what it refuses by a TypeError ends the process with 2 and the usage. */
export function optionsOf<Options>(read: (args: readonly string[]) => Options, usage: string): Options {
  try {
    return read(process.argv.slice(2))
  } catch (error) {
    // parseArgs throws TypeErrors too. One from a benchmark itself must not be taken for the user's mistake.
    if (!(error instanceof TypeError)) throw error
    console.error(pc.red(error.message))
    console.error(`usage: ${usage}`)
    return process.exit(2)
  }
}
