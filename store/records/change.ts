// What is said to other processes about a record that was written: enough to know whether to read it.
import type { FunctionName, InvocationId, TriggerName } from '#core/ids'
import type { InvocationRecord, RecordState } from '#core/record'

import { STATE_LETTERS, stateOfLetter } from './precedence.ts'

export interface Change {
  readonly id: InvocationId
  readonly state: RecordState
  readonly function: FunctionName
  readonly trigger: TriggerName | undefined
}

const ID_END = 37

/** Letter of the state, id, function, a space, trigger. The writer's Lua reads the id and the function from it. */
export function changeLine({ id, state, function: name, cause }: InvocationRecord): string {
  return `${STATE_LETTERS[state]}${id}${name} ${cause?.trigger ?? ''}`
}

export function* parseChanges(text: string): Iterable<Change> {
  for (const line of text.split('\n')) {
    const state = stateOfLetter(line[0] ?? '')
    const space = line.indexOf(' ', ID_END)
    if (state === undefined || space < 0) continue
    const trigger = line.slice(space + 1)
    yield {
      id: line.slice(1, ID_END) as InvocationId,
      state,
      function: line.slice(ID_END, space) as FunctionName,
      trigger: trigger === '' ? undefined : (trigger as TriggerName),
    }
  }
}
