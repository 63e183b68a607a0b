import { mkdir, rename } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { frame } from '../../src/video/still.ts'
import { h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()

test('a frame is taken of the file whose name has the accent written the other way', async () => {
  await mkdir(inFolder('Cafe\u0301'))
  await makeClip(inFolder('a.mp4'), ...testPicture(1), ...h264)
  await rename(inFolder('a.mp4'), inFolder('Cafe\u0301/Cre\u0300me.mp4'))
  const picture = await frame(inFolder('Caf\u00e9/Cr\u00e8me.mp4'), 0)
  expect(picture.width).toBeGreaterThan(0)
})
