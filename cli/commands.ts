// The list of commands. Each is loaded when it is called, so that `hearth ls` does not wait for what `serve` needs.
import type { Command } from './command.ts'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: {
    summary: 'Start Hearth: gateway, invoker and store in one process',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  deploy: {
    summary: 'Deploy a file or folder as a function',
    load: async () => (await import('./commands/deploy.ts')).deploy,
  },
  invoke: { summary: 'Call a function', load: async () => (await import('./commands/invoke.ts')).invoke },
  submit: {
    summary: 'Queue many calls from a file',
    load: async () => (await import('./commands/submit.ts')).submit,
  },
  ls: { summary: 'List the functions', load: async () => (await import('./commands/ls.ts')).ls },
  get: {
    summary: 'Show a function: versions, state, sandboxes',
    load: async () => (await import('./commands/get.ts')).get,
  },
  logs: {
    summary: 'Show what a function wrote; -f follows',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  rm: { summary: 'Remove a function', load: async () => (await import('./commands/rm.ts')).rm },
  invocations: {
    summary: 'List or follow invocations, show one, cancel or replay it',
    load: async () => (await import('./commands/invocations.ts')).invocations,
  },
  triggers: {
    summary: 'List triggers; show, make, switch or remove one',
    load: async () => (await import('./commands/triggers.ts')).triggers,
  },
  events: {
    summary: 'Publish events',
    load: async () => (await import('./commands/events.ts')).events,
  },
  'dead-letters': {
    summary: 'What failed for good: list, show, redrive, purge',
    load: async () => (await import('./commands/dead-letters.ts')).deadLetters,
  },
  open: {
    summary: 'Open a function or the API page in the browser',
    load: async () => (await import('./commands/open.ts')).open,
  },
}
