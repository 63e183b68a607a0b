import { expect, it } from 'vitest'
import { runningTools } from '../video/makeClip.ts'
import { makeClip, open, temporaryFolder } from './indexing.ts'

/** Starts to index two long videos at once, and goes on as told once frames of them were encoded. */
const beginIngest = async (signal?: AbortSignal) => {
  const folder = await temporaryFolder()
  const clips = [await makeClip(`${folder}/a.mp4`, 'testsrc', 120), await makeClip(`${folder}/b.mp4`, 'testsrc2', 120)]
  const index = await open(`${folder}/store`)
  return index.ingest(clips, { everySeconds: 0, detail: 'whole', tolerance: 0, jobs: 2, signal })
}

it('leaves no ffmpeg behind when its signal ends it', async () => {
  const controller = new AbortController()
  const consume = async () => {
    for await (const event of await beginIngest(controller.signal)) {
      if (event.type !== 'progress') continue
      expect(await runningTools()).not.toEqual([])
      controller.abort(new Error('enough'))
    }
  }
  await expect(consume()).rejects.toThrow('enough')
  expect(await runningTools()).toEqual([])
})

it('leaves no ffmpeg behind when its loop is left', async () => {
  for await (const event of await beginIngest()) {
    if (event.type !== 'progress') continue
    expect(await runningTools()).not.toEqual([])
    break
  }
  expect(await runningTools()).toEqual([])
})
