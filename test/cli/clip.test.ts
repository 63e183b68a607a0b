import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeClip, writeClips } from '../../src/index.ts'
import { streamInfo } from '../../src/video/probe.ts'
import { h264, makeClip, testPicture, useFolder } from '../video/makeClip.ts'
import { vidgrep } from './program.ts'

const inFolder = useFolder()
let video: string
beforeAll(async () => {
  video = await makeClip(inFolder('a.mp4'), ...testPicture(3), ...h264, '-g', '25')
})

const moment = { rank: 1, score: 30, t: 1, from: 1, to: 1.5, box: [0, 0, 1, 1] as const }

describe('vidgrep clip', () => {
  it('says what it wrote, and never writes over a video unasked', async () => {
    const file = inFolder('b.mp4')
    const call = (...words: string[]) => vidgrep(['clip', video, ...words, '-o', file])
    expect(await call('0:01', '2s')).toMatchObject({
      code: 0,
      stdout: `${file}: 00:00:01.000 – 00:00:02.000, copied\n`,
      stderr: '',
    })
    const before = await readFile(file)
    const unasked = writeClip(video, { fromSeconds: 0.5, toSeconds: 2, file })
    await expect(unasked).rejects.toMatchObject({ code: 'usage', remedy: expect.stringContaining('add --force') })
    expect(before.equals(await readFile(file))).toBe(true)
    const forced = await call('0:00.52', '2s', '--force', '--json')
    expect(JSON.parse(forced.stdout)).toEqual({ path: video, file, mode: 'encode', from: 0.52, to: 2 })
  })

  it('is refused with a remedy, and leaves nothing behind', async () => {
    await writeFile(inFolder('text.mp4'), 'text')
    await symlink('/dev/full', inFolder('full.mp4'))
    const refused = (options: Partial<Parameters<typeof writeClip>[1]>, from = video) =>
      expect(writeClip(from, { fromSeconds: 1, toSeconds: 2, file: inFolder('x.mp4'), ...options })).rejects
    const usage = (message: RegExp) => ({ code: 'usage', message: expect.stringMatching(message) })
    await refused({ file: inFolder('x.gif') }).toMatchObject(usage(/ends in \.mp4, \.m4v, \.mov, \.mkv/))
    await refused({ file: inFolder('no/x.mp4') }).toMatchObject(usage(/no folder/))
    await refused({ file: inFolder('text.mp4'), force: true }).toMatchObject(
      usage(/not a video: it is not overwritten/),
    )
    await refused({ file: inFolder('full.mp4'), force: true }).toMatchObject(usage(/not a video/))
    await refused({ file: video, force: true }).toMatchObject(usage(/another file than the video itself/))
    await refused({ toSeconds: 1 }).toMatchObject(usage(/end after/))
    await refused({}, inFolder('gone.mp4')).toMatchObject({ code: 'unreadable-file' })
    await refused({}, inFolder('text.mp4')).toMatchObject({ code: 'not-a-video' })
    expect((await readdir(inFolder('.'))).filter((name) => name.startsWith('.vidgrep') || name === 'x.mp4')).toEqual([])
  })
})

describe('clips of moments', () => {
  it('are written with a margin, under the names of their pictures', async () => {
    const clips = inFolder('clips')
    const gone = { ...moment, rank: 2, path: inFolder('gone.mp4') }
    const shorter = { ...moment, rank: 3, path: video, t: 9, from: 9, to: 9.5 }
    const moments = [{ ...moment, path: video }, gone, shorter]
    const { clips: written, missing } = await writeClips({ moments }, { clips, marginSeconds: 0.5 })
    const file = join(clips, '01_30.00_a_00-00-01.000.mp4')
    expect(written).toEqual([{ file, mode: 'encode', fromSeconds: 0.48, toSeconds: 2 }])
    expect((await streamInfo(file, undefined, {})).durationSeconds).toBeCloseTo(1.52, 2)
    expect(missing.map(({ moment: { rank } }) => rank)).toEqual([2, 3])
    await expect(writeClips({ moments }, { clips })).rejects.toMatchObject({ code: 'usage' })
    expect((await writeClips({ moments: moments.slice(0, 1) }, { clips, force: true })).clips).toHaveLength(1)
    await expect(writeClips({ moments }, { clips, marginSeconds: -1 })).rejects.toThrow(/margin of 0 seconds or more/)
  })

  it('come with a search', async () => {
    const environment = { VIDGREP_HOME: inFolder('home') }
    await mkdir(inFolder('footage'))
    const copy = await makeClip(inFolder('footage/c.mp4'), '-i', video, '-c', 'copy')
    await vidgrep(['index', copy, '--detail', 'whole'], environment)
    const search = (...words: string[]) => vidgrep(['search', 'a test picture', '-n', '1', ...words], environment)
    const found = await search('--clips', inFolder('found'), '--json')
    expect(found).toMatchObject({ code: 0, stderr: `1 clip in ${inFolder('found')}\n` })
    const [name] = await readdir(inFolder('found'))
    expect(name).toMatch(/^01_.*_c_00-00-0\d\.\d\d\d\.mp4$/)
    await rm(copy)
    expect(await search('--clips', inFolder('none'))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`No clip of ${copy}`),
    })
  })
})
