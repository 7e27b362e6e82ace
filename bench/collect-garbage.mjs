// Preloaded into a platform whose memory is measured (--expose-gc --import): SIGUSR2 collects all garbage, so that what
// is left is what it needs.
process.on('SIGUSR2', () => globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }))
