import { beforeAll, describe, expect, it } from 'vitest'
import { videoFile } from '../../src/files/files.ts'
import { openCollections } from '../../src/server/collections.ts'
import { openPictures } from '../../src/server/pictures.ts'
import { clip } from '../ingest/indexing.ts'
import { sampleRecord } from '../store/samples.ts'
import { makeFootage } from './serving.ts'

/* What several requests share must not break for all when one of them ends. */

let folder: string
let store: string

beforeAll(async () => {
  ;({ folder, store } = await makeFootage())
})

describe('a picture that several ask for', () => {
  const ask = async (pictures: ReturnType<typeof openPictures>, signal: AbortSignal) => {
    const record = sampleRecord('fingerprint', { files: [await videoFile(clip('bunny.mp4'))] })
    return pictures.frame({ record, timestampSeconds: 2, width: 320 }, signal)
  }

  it('is made for those who stay when the first one leaves', async () => {
    const pictures = openPictures(`${folder}/one`)
    const leaving = new AbortController()
    const [left, stayed] = [ask(pictures, leaving.signal), ask(pictures, new AbortController().signal)]
    setTimeout(() => leaving.abort(new Error('left')), 20)
    await expect(left).rejects.toThrow('left')
    expect((await stayed).subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]))
  })

  it('is made anew for who comes after all have left', async () => {
    const pictures = openPictures(`${folder}/another`)
    const leaving = new AbortController()
    const left = ask(pictures, leaving.signal)
    setTimeout(() => leaving.abort(new Error('left')), 20)
    await expect(left).rejects.toThrow('left')
    expect((await ask(pictures, new AbortController().signal)).length).toBeGreaterThan(1000)
  })
})

describe('a collection that is opened anew', () => {
  it('stays open for the searches that are under way, and is not opened anew again for their errors', async () => {
    const collections = openCollections({ store })
    const before = await collections.open()
    const startedMs = performance.now()
    const searching = before.search('a cup of coffee', { n: 2 })
    collections.reopen(undefined, startedMs)
    const after = await collections.open()
    expect(after).not.toBe(before)
    collections.reopen(undefined, startedMs)
    expect(await collections.open()).toBe(after)
    expect((await searching).moments.length).toBeGreaterThan(0)
    await collections.close()
    await expect(before.search('a cat')).rejects.toThrow('closed')
  })
})
