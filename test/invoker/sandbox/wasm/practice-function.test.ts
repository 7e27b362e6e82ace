import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { FileSet, LocalFile } from '#core/artifact'
import { PracticeFunction } from '#invoker/sandbox/wasm/practice-function'

const FILES: FileSet = new Map([['manifest.json', Buffer.from('{}')]])

let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hearth-practice-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** One whose builder has it from when `built` is set. */
function practice(state: { built: boolean; broken?: boolean }) {
  const asked: boolean[] = []
  const found: (readonly LocalFile[])[] = []
  const find = async (make: boolean): Promise<FileSet | undefined> => {
    asked.push(make)
    if (state.broken === true) throw new Error('the builder is broken')
    if (make) state.built = true
    return state.built ? FILES : undefined
  }
  const subject = new PracticeFunction({ find, dir: join(dir, 'files'), onFound: (files) => found.push(files) })
  return { subject, asked, found }
}

describe('PracticeFunction', () => {
  it('that was built before is there without being wanted, on the disk', async () => {
    const { subject, asked, found } = practice({ built: true })
    await expect.poll(() => subject.files).toBeDefined()
    expect(found).toEqual([subject.files])
    const [file] = subject.files!
    expect(file).toMatchObject({ path: 'manifest.json', size: 2 })
    expect(await readFile(file!.localPath, 'utf8')).toBe('{}')
    await subject.want()
    expect(asked).toEqual([false])
  })

  it('is built when it is wanted for the first time', async () => {
    const { subject, asked, found } = practice({ built: false })
    await Promise.all([subject.want(), subject.want()])
    await subject.want()
    expect(asked).toEqual([false, true])
    expect(found).toHaveLength(1)
  })

  it('is done without when the builder is broken', async () => {
    const { subject, asked } = practice({ built: false, broken: true })
    await subject.want()
    await subject.want()
    expect(asked).toEqual([false, true])
    expect(subject.files).toBeUndefined()
  })
})
