import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkOutputs, exportMoments, writeFrame, writePictures } from '../../src/render/output.ts'
import { clip, temporaryFolder } from '../ingest/indexing.ts'

let folder: string
beforeEach(async () => {
  folder = await temporaryFolder()
})

const pixel = { create: { width: 8, height: 8, channels: 3, background: 'red' } } as const
const video = clip('photos.mp4')
const moment = {
  rank: 1,
  path: video,
  video: 'v',
  t: 1,
  from: 1,
  to: 1,
  score: 30,
  patch: 0,
  box: [0, 0, 1, 1] as const,
}

describe('a place for pictures', () => {
  it.each([
    ['an ending that is no picture', 'x.xyz', /ending in \.jpg.*x\.xyz/],
    ['no ending', 'picture', /ending in \.jpg/],
    ['a video', 'a.mp4', /ending in \.jpg/],
    ['a missing folder', 'no/such/x.jpg', /no folder .*no\/such/],
    ['a folder', 'folder.jpg', /got a folder/],
    ['a path through a file', 'text.jpg/x.jpg', /part of the path is a file/],
    ['a file of another kind', 'text.jpg', /not a JPEG picture: it is not overwritten/],
    ['a picture of another kind', 'really.jpg', /not a JPEG picture/],
    ['a link to a file of another kind', 'link.jpg', /not a JPEG picture/],
    ['a name that is too long', `${'x'.repeat(300)}.jpg`, /too long/],
  ])('is refused with a remedy: %s', async (_, name, message) => {
    await mkdir(join(folder, 'folder.jpg'))
    await writeFile(join(folder, 'text.jpg'), 'text')
    await writeFile(join(folder, 'really.jpg'), await sharp(pixel).png().toBuffer())
    await symlink('text.jpg', join(folder, 'link.jpg'))
    const refusal = { code: 'usage', message: expect.stringMatching(message), remedy: expect.stringMatching(/./) }
    await expect(checkOutputs({ frame: join(folder, name) })).rejects.toMatchObject(refusal)
    await expect(writeFrame(join(folder, name), video, 1)).rejects.toMatchObject(refusal)
    expect(await readFile(join(folder, 'text.jpg'), 'utf8')).toBe('text')
  })

  it('is refused for a sheet that is no JPEG, and for a folder of pictures that is a file', async () => {
    await expect(checkOutputs({ sheet: join(folder, 'x.png') })).rejects.toThrow(/ending in \.jpg, \.jpeg/)
    await writeFile(join(folder, 'file'), '')
    await expect(checkOutputs({ pictures: join(folder, 'file') })).rejects.toThrow(/part of the path is a file/)
  })

  it.skipIf(process.getuid?.() === 0)('is refused where nothing may be written', async () => {
    await mkdir(join(folder, 'locked'), { mode: 0o500 })
    const refusal = { code: 'output', message: expect.stringMatching(/permission denied/) }
    await expect(checkOutputs({ frame: join(folder, 'locked', 'x.jpg') })).rejects.toMatchObject(refusal)
    await expect(checkOutputs({ pictures: join(folder, 'locked') })).rejects.toMatchObject(refusal)
  })
})

describe('what is written', () => {
  it.each(['jpg', 'png', 'webp', 'tiff', 'gif'])('is in the format that its ending names: %s', async (ending) => {
    const file = join(folder, `x.${ending}`)
    await writeFrame(file, video, 1)
    expect((await sharp(file).metadata()).format).toBe(ending === 'jpg' ? 'jpeg' : ending)
    expect(await readdir(folder)).toEqual([`x.${ending}`])
  })

  it('replaces a picture of its kind and an empty file, also through a link', async () => {
    await writeFile(join(folder, 'old.jpg'), await sharp(pixel).jpeg().toBuffer())
    await writeFile(join(folder, 'empty.jpg'), '')
    await symlink('old.jpg', join(folder, 'link.jpg'))
    for (const name of ['link.jpg', 'empty.jpg']) await writeFrame(join(folder, name), video, 1)
    for (const name of ['old.jpg', 'empty.jpg']) {
      expect(await sharp(join(folder, name)).metadata()).toMatchObject({ format: 'jpeg', width: 1280 })
    }
    expect((await readdir(folder)).sort()).toEqual(['empty.jpg', 'link.jpg', 'old.jpg'])
  })

  it('leaves out the moments whose video is gone or damaged, and says why', async () => {
    await writeFile(join(folder, 'broken.mp4'), 'no video')
    const moments = [moment, ...['gone.mp4', 'broken.mp4'].map((name) => ({ ...moment, path: join(folder, name) }))]
    const pictures = join(folder, 'new/out')
    const { written, missing } = await writePictures(
      { query: 'x', moments },
      { pictures, sheet: join(folder, 's.jpg') },
    )
    expect(written).toBe(1)
    expect(missing.map(({ moment }) => moment.path)).toEqual(moments.slice(1).map(({ path }) => path))
    expect(missing[0]!.reason).toMatch(/no file .*gone\.mp4/)
    expect(await readdir(pictures)).toHaveLength(1)
    expect((await sharp(join(folder, 's.jpg')).metadata()).format).toBe('jpeg')
  })

  it('is nothing at all where an error is no fault of a video', async () => {
    const moments = [{ ...moment, t: Number.NaN }]
    await expect(writePictures({ query: 'x', moments }, { pictures: folder })).rejects.toThrow(/time in seconds/)
  })
})

describe('a file for an editor', () => {
  const found = { query: 'a cat', moments: [moment] }

  it.each(['x.edl', 'x.otio', 'x.fcpxml', 'x.csv'])('takes the place of its like alone: %s', async (name) => {
    const file = join(folder, name)
    expect(await exportMoments({ ...found, moments: [] }, file)).toEqual({ written: 0, missing: [] })
    expect(await readdir(folder)).toEqual([])
    expect(await exportMoments(found, file)).toEqual({ written: 1, missing: [] })
    const first = await readFile(file, 'utf8')
    expect(await exportMoments({ ...found, query: 'a dog' }, file)).toMatchObject({ written: 1 })
    expect(await readFile(file, 'utf8')).toBe(first.replaceAll('a cat', 'a dog'))
    expect(await readdir(folder)).toEqual([name])
    await writeFile(file, 'name,phone\r\n')
    await expect(exportMoments(found, file)).rejects.toThrow(/it is not overwritten/)
    expect(await readFile(file, 'utf8')).toBe('name,phone\r\n')
  })

  it('is never called like a video', async () => {
    await expect(checkOutputs({ export: join(folder, 'x.mp4') })).rejects.toThrow(/ends in \.edl.*got .*x\.mp4/)
  })

  it('leaves out what is gone, and is not written where all is', async () => {
    const gone = { ...moment, path: join(folder, 'gone.mp4') }
    const file = join(folder, 'x.edl')
    const missing = [{ moment: gone, reason: expect.stringMatching(/gone\.mp4/) }]
    expect(await exportMoments({ ...found, moments: [gone] }, file)).toEqual({ written: 0, missing })
    expect(await readdir(folder)).toEqual([])
    expect(await exportMoments({ ...found, moments: [gone, moment] }, file)).toEqual({ written: 1, missing })
  })

  it('gives a single frame a second around it, within the file', async () => {
    const file = join(folder, 'x.csv')
    const moments = [0.1, 1].map((t) => ({ ...moment, t, from: t, to: t }))
    await exportMoments({ ...found, moments }, file)
    const rows = (await readFile(file, 'utf8')).trim().split('\r\n').slice(1)
    expect(rows.map((row) => row.split(',').slice(3, 6))).toEqual([
      ['0.100', '0.000', '1.000'],
      ['1.000', '0.500', '1.500'],
    ])
  })
})
