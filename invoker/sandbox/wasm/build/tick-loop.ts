// jco 1.35 looks for host events every 10 ms, so every await of a guest costs 11.6 ms. The patched loop starts at
// once and sleeps until a host operation ends; the 10 ms remain as a safety net.

import { replaceOnce } from './replace-once.ts'

const START = `if (this.#tickLoop !== null) { return; }
        this.#tickLoop = 1;
        setTimeout(async () => {`
const STARTED = `if (this.#tickLoop !== null) { this.wakeTick?.(); return; }
        this.#tickLoop = 1;
        setImmediate(async () => {`

const WAIT = `await new Promise((resolve) => setTimeout(resolve, delay));
            result = this.tick();
          }
          this.#tickLoop = null;
        }, 10);`
// A host operation wakes the loop before its value has been written, a few microtasks later: setImmediate comes after.
const WAITED = `await new Promise((resolve) => {
              if (delay === 0) { setImmediate(resolve); return; }
              const timer = setTimeout(() => { this.wakeTick = undefined; resolve(); }, delay);
              this.wakeTick = () => { this.wakeTick = undefined; clearTimeout(timer); setImmediate(resolve); };
            });
            result = this.tick();
          }
          this.#tickLoop = null;
        });`

/**
 * Glue without a loop, of a component that never waits, stays as it is.
 * @throws Error when jco generates another loop than the one this was written for
 */
export function patchTickLoop(glue: string): string {
  if (!glue.includes('TickLoop')) return glue
  const what = 'the tick loop of jco'
  const started = replaceOnce(glue, { what, search: START, replacement: STARTED })
  return replaceOnce(started, { what, search: WAIT, replacement: WAITED })
}
