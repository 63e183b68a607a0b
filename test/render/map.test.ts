import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { writeMap } from '../../src/render/output.ts'
import { makeClip, temporaryFolder } from '../ingest/indexing.ts'

test('frames are drawn where they lie, none over another, and what is gone is named', async () => {
  const folder = await temporaryFolder()
  const path = await makeClip(join(folder, 'red.mp4'), 'color=red', 0.3)
  const gone = { x: 1, y: 0, path: join(folder, 'gone.mp4'), t: 0 }
  const points = [{ x: 0, y: 0, path, t: 0 }, { x: 0, y: 0, path, t: 0.1 }, gone, { x: 1, y: 1, path, t: 0.2 }]
  const file = join(folder, 'map.png')
  const { written, missing } = await writeMap(file, { points, videos: 2 })
  expect(written).toBe(3)
  expect(missing).toMatchObject([{ moment: gone, reason: expect.stringContaining('gone.mp4') }])

  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true })
  // Three by two cells of 160 × 90, the frames of 120 × 90 in their middles.
  expect([info.width, info.height]).toEqual([32 + 3 * 166 - 6 + 32, 32 + 56 + 2 * 96 - 6 + 32])
  const isRed = (x: number, y: number) => {
    const [red, green] = data.subarray((y * info.width + x) * info.channels)
    return red! > 200 && green! < 50
  }
  const cells = [0, 1].flatMap((row) => [0, 1, 2].map((column) => isRed(32 + 166 * column + 80, 88 + 96 * row + 45)))
  expect(cells.filter(Boolean)).toHaveLength(3)
  expect([cells[0], cells[5]]).toEqual([true, true])
})
