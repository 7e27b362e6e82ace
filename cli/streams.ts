// Line streams of the API: newline-delimited JSON and server-sent events.

type ByteStream = AsyncIterable<Uint8Array>

/** One value per line. */
export async function* ndjson(bytes: ByteStream): AsyncGenerator {
  for await (const line of lines(bytes)) if (line.trim() !== '') yield JSON.parse(line)
}

/** The JSON in the `data` of each event. Comments, which keep the connection alive, are left out. */
export async function* events(bytes: ByteStream): AsyncGenerator {
  let data: string[] = []
  for await (const line of lines(bytes)) {
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
    if (line !== '' || data.length === 0) continue
    yield JSON.parse(data.join('\n'))
    data = []
  }
}

async function* lines(bytes: ByteStream): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    const parts = rest.split(/\r?\n/)
    rest = parts.pop() ?? ''
    yield* parts
  }
  if (rest !== '') yield rest
}
