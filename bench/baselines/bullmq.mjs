// The baseline of the async path: one bare BullMQ queue, producer and worker in one process.
// usage: node bullmq.mjs <path of a Redis socket> <jobs> <jobs under way at once>; prints jobs per second, end to end.
import { Queue, Worker } from 'bullmq'

const [path, jobs, width] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const connection = { path, maxRetriesPerRequest: null }
const queue = new Queue('bare', { connection, defaultJobOptions: { removeOnComplete: true } })
await queue.obliterate({ force: true })
let done = 0
let finish
const finished = new Promise((resolve) => (finish = resolve))
const worker = new Worker(
  'bare',
  async () => {
    done += 1
    if (done === jobs) finish()
  },
  { connection, concurrency: width },
)
await worker.waitUntilReady()

const start = performance.now()
let next = 0
await Promise.all(
  Array.from({ length: width }, async () => {
    while (next++ < jobs) await queue.add('job', { body: 'hello', headers: [['content-type', 'text/plain']] })
  }),
)
await finished
console.log((jobs / (performance.now() - start)) * 1000)
await worker.close()
await queue.close()
