// Callers that never rest: some want an answer, some a stream. They count what was not answered as it should be.
import { type ClientRequest, get, type IncomingMessage } from 'node:http'

import { sleep } from '#core/clock'

export interface LoadReport {
  readonly answered: number
  readonly streams: number
  /** By version, as the code answers it. */
  readonly versions: ReadonlySet<string>
  /** Connections that were refused or closed before any answer, and answers that said that the instance ends. */
  readonly refused: number
  readonly failed: readonly string[]
}

export interface Load {
  /** How many were answered so far. */
  readonly answered: () => number
  /** Lets what is under way finish. */
  stop(): Promise<LoadReport>
}

const AGAIN_MS = 20
const CHUNKS = 6
/** As the code streams them: `<version> <n>`, so a stream that broke off, or was mixed with another one, is seen. */
const STREAM = new RegExp(`^(\\S+) 0\\n${Array.from({ length: CHUNKS - 1 }, (_, n) => `\\1 ${n + 1}\\n`).join('')}$`)

/** `/` answers with the version, `/stream` in pieces that take a while. Runs as js and as node. */
export function codeOf(version: string): string {
  return `export default {
    async fetch(request) {
      const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
      if (new URL(request.url).pathname !== '/stream') {
        await pause(20)
        return new Response('${version}')
      }
      const stream = new ReadableStream({
        async start(controller) {
          for (let n = 0; n < ${CHUNKS}; n++) {
            controller.enqueue(new TextEncoder().encode('${version} ' + n + '\\n'))
            await pause(60)
          }
          controller.close()
        },
      })
      return new Response(stream)
    },
  }`
}

/** @param url of the function, asked again for every call: it may move */
export function startLoad(url: () => string, callers = 6): Load {
  const over = new AbortController()
  let [answered, streams, refused] = [0, 0, 0]
  const versions = new Set<string>()
  const failed: string[] = []
  const call = async (path: string): Promise<void> => {
    const answer = await ask(`${url()}${path}`)
    if (answer === 'refused') {
      refused += 1
      return sleep(AGAIN_MS, new AbortController().signal)
    }
    const version = path === '/stream' ? STREAM.exec(answer.text)?.[1] : answer.text
    if (answer.status !== 200 || !answer.isComplete || version === undefined) {
      failed.push(`${path}: ${answer.status}, complete: ${answer.isComplete}: ${answer.text}`)
      return undefined
    }
    answered += 1
    if (path === '/stream') streams += 1
    versions.add(version)
    return undefined
  }
  const working = Array.from({ length: callers }, async (_, index) => {
    while (!over.signal.aborted) await call(index % 2 === 0 ? '/' : '/stream')
  })
  return {
    answered: () => answered,
    async stop() {
      over.abort()
      await Promise.all(working)
      return { answered, streams, versions, refused, failed }
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly isComplete: boolean
}

/** A connection of its own. A GET that was not answered at all may be sent again (RFC 9110, section 9.2.2). */
async function ask(url: string): Promise<Answer | 'refused'> {
  const request = get(url, { agent: false })
  const response = await answerOf(request)
  if (response === 'refused') return response
  let text = ''
  response.setEncoding('utf8')
  try {
    for await (const chunk of response) text += chunk as string
  } catch {
    // It broke off, and says so itself.
  }
  const status = response.statusCode ?? 0
  if (status === 503 && text.includes('"shutting-down"')) return 'refused'
  return { status, text, isComplete: response.complete }
}

function answerOf(request: ClientRequest): Promise<IncomingMessage | 'refused'> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') resolve('refused')
      else reject(error)
    })
  })
}
