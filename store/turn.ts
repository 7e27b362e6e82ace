// What is gathered during a turn of the event loop is sent when the turn is over: all of it in one write, also what is
// asked for on the way. With a setImmediate for each, the write would wait for another turn.
let tasks: (() => void)[] = []

/** @param task must not throw; what it asks for itself is done after those that are there already */
export function atEndOfTurn(task: () => void): void {
  if (tasks.push(task) === 1) setImmediate(run)
}

function run(): void {
  try {
    // It grows meanwhile.
    for (const task of tasks) task()
  } finally {
    tasks = []
  }
}
