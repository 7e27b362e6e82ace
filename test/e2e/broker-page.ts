// The commands of a page about a trigger, word for word but for addresses, against a real broker.
import { join } from 'node:path'

import { tempDir } from '#test/temp-dir'

import { startHearth } from './hearth.ts'
import { runBlock, runnableBlocks } from './readme.ts'

/**
 * @param address of the broker as the page has it: `127.0.0.1:4222`
 * @param broker where it is
 * @returns what the commands print
 */
export async function runPage(page: string, address: string, broker: string): Promise<string> {
  await using dir = await tempDir()
  await using hearth = await startHearth({
    HEARTH_DATA_DIR: join(dir.path, 'data'),
    HEARTH_CACHE_DIR: join(dir.path, 'cache'),
    HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
  })
  const outputs: string[] = []
  for (const block of runnableBlocks(page, 'sh run')) {
    outputs.push(await runBlock(block.replaceAll(address, new URL(broker).host), hearth))
  }
  return outputs.join('')
}
