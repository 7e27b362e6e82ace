import { createServer, type ServerResponse } from 'node:http'

import { expect, test } from 'vitest'

import { Answers } from '#gateway/invoke/answers'

test('answers of one turn leave together after it, small, large and empty ones', async () => {
  const answers = new Answers()
  const waiting: ServerResponse[] = []
  const bodies = ['small', 'x'.repeat(20_000), '']
  const endedInTurn: boolean[] = []
  const server = createServer((_req, res) => {
    if (waiting.push(res) < bodies.length) return
    for (const [index, each] of waiting.entries()) {
      answers.end(each, new TextEncoder().encode(bodies[index]))
      endedInTurn.push(each.writableEnded)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const texts = await Promise.all(bodies.map(async () => (await fetch(`http://127.0.0.1:${port}`)).text()))
  expect(texts.toSorted()).toEqual(bodies.toSorted())
  expect(endedInTurn).toEqual([false, false, false])
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
