// What a slow step shows: on a terminal one line that moves, elsewhere a plain line for each step.
import { systemClock } from '#core/clock'

import type { Terminal } from './terminal.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

export interface Progress extends Disposable {
  /** What is being done now. */
  step(text: string): void
}

/** Disposing takes the moving line away. */
export function startProgress(terminal: Terminal, title: string): Progress {
  return terminal.live ? movingLine(terminal, title) : plainLines(terminal, title)
}

function plainLines(terminal: Terminal, title: string): Progress {
  return { step: (text) => terminal.err(`${title}: ${text}\n`), [Symbol.dispose]() {} }
}

function movingLine(terminal: Terminal, title: string): Progress {
  const colors = terminal.errColors
  const started = systemClock.monotonic()
  let current = ''
  let frame = 0
  const draw = (): void => {
    const seconds = ((systemClock.monotonic() - started) / 1000).toFixed(1)
    const mark = colors.cyan(FRAMES[frame++ % FRAMES.length] ?? '')
    terminal.err(`\r\u{1b}[K${mark} ${title} ${colors.dim(`${current} ${seconds} s`)}`)
  }
  const ticker = systemClock.every(100, draw)
  return {
    step(text) {
      current = text
      draw()
    },
    [Symbol.dispose]() {
      ticker[Symbol.dispose]()
      terminal.err('\r\u{1b}[K')
    },
  }
}
