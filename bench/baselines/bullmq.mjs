// The baseline of the async path: one bare BullMQ queue, producer and worker in one process.
// usage: node bullmq.mjs <path of a Redis socket> <jobs> <jobs under way at once>
// Prints {added, bulk, finished}, jobs per second: adds alone, all in one addBulk, and with a worker from the first add to
// the last end; and the CPU time of a job, of this process and of Redis together, microseconds: {addedUs, finishedUs}.
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'

const [path, jobs, width] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const connection = { path, maxRetriesPerRequest: null }
const queue = new Queue('bare', { connection, defaultJobOptions: { removeOnComplete: true } })
const job = { body: 'hello', headers: [['content-type', 'text/plain']] }

async function addAll() {
  let next = 0
  const caller = async () => {
    while (next++ < jobs) await queue.add('job', job)
  }
  await Promise.all(Array.from({ length: width }, caller))
}

const client = new Redis({ path })
async function cpuUs() {
  const { user, system } = process.cpuUsage()
  const seconds = [...(await client.info('cpu')).matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)]
  return user + system + seconds.reduce((sum, [, each]) => sum + Number(each) * 1e6, 0)
}

await queue.obliterate({ force: true })
for (let warm = 0; warm < 100; warm++) await queue.add('job', job)
const [addsFrom, addsCpuFrom] = [performance.now(), await cpuUs()]
await addAll()
const added = (jobs / (performance.now() - addsFrom)) * 1000
const addedUs = ((await cpuUs()) - addsCpuFrom) / jobs
await queue.obliterate({ force: true })

const bulkFrom = performance.now()
await queue.addBulk(Array.from({ length: jobs }, () => ({ name: 'job', data: job })))
const bulk = (jobs / (performance.now() - bulkFrom)) * 1000
await queue.obliterate({ force: true })

let done = 0
const finishing = Promise.withResolvers()
const worker = new Worker(
  'bare',
  async () => {
    done += 1
    if (done === jobs) finishing.resolve()
  },
  { connection, concurrency: width },
)
await worker.waitUntilReady()
const [from, cpuFrom] = [performance.now(), await cpuUs()]
await addAll()
await finishing.promise
const finished = (jobs / (performance.now() - from)) * 1000
const finishedUs = ((await cpuUs()) - cpuFrom) / jobs
console.log(JSON.stringify({ added, bulk, finished, addedUs, finishedUs }))
await worker.close()
await queue.close()
client.disconnect()
