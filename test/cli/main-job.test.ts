import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { clip, copyClip, open, run, temporaryFolder, tiny } from '../ingest/indexing.ts'
import { start } from './program.ts'

/** All of it in processes of their own, as a shell starts them. */
const vidgrep = (words: readonly string[], environment?: Readonly<Record<string, string>>) =>
  start(words, environment).ended

describe('the main job', () => {
  it('indexes a folder, finds the cat and shows it', async () => {
    const folder = await temporaryFolder()
    const environment = { VIDGREP_HOME: join(folder, 'home') }
    const indexed = await vidgrep(['index', clip(''), '--json'], environment)
    expect(indexed.code).toBe(0)
    const { videos, totals } = JSON.parse(indexed.stdout)
    expect(videos).toHaveLength(5)
    expect(videos[0]).toEqual({
      path: expect.stringContaining('/test/clips/'),
      video: expect.stringMatching(/^[0-9a-f]{32}$/),
      status: 'complete',
      frames: expect.any(Number),
      points: expect.any(Number),
      encoded: expect.any(Number),
      unchanged: expect.any(Number),
      seconds: expect.any(Number),
    })
    expect(totals).toMatchObject({ videos: 5, complete: 5, partial: 0, failed: 0, skipped: 1 })

    const words = ['search', "a cat's face", '-n', '3', '--json', '--pictures', join(folder, 'out')]
    const found = await vidgrep([...words, '--sheet', join(folder, 'sheet.jpg')], environment)
    expect(found.code).toBe(0)
    const result = JSON.parse(found.stdout)
    expect(Object.keys(result)).toEqual([
      'query',
      'model',
      'collection',
      'cutoff',
      'unknown',
      'language',
      'bestScore',
      'moments',
    ])
    expect(result).toMatchObject({
      query: "a cat's face",
      model: 'starter-1',
      collection: 'vidgrep',
      cutoff: expect.any(Number),
    })
    expect(Object.keys(result.moments[0]).join(' ')).toBe(
      'rank path video t from to score likely patch box hits likelihood',
    )
    expect(result.moments[0].path).toBe(clip('photos.mp4'))
    expect(await readdir(join(folder, 'out'))).toHaveLength(3)
    expect((await sharp(join(folder, 'sheet.jpg')).metadata()).format).toBe('jpeg')

    const index = await open(join(folder, 'home/data/store'), { model: 'starter' })
    const best = async (query: string, options = {}) => (await index.search(query, { n: 1, ...options })).moments[0]
    const cat = await best("a cat's face")
    expect(cat?.t).toBeGreaterThanOrEqual(8)
    expect(cat?.t).toBeLessThan(12)
    expect(await best('a cyclist with a helmet')).toMatchObject({ path: clip('street.mp4') })
    expect(await best('a green meadow with a burrow')).toMatchObject({ path: clip('bunny.mp4') })
    // It takes up a small part of the picture.
    await run(index, [clip('photos.mp4')], { detail: 'high' })
    expect((await best('a rocket on the launch pad', { paths: [clip('photos.mp4')] }))?.t).toBeGreaterThanOrEqual(12)

    const plain = await vidgrep(['search', 'a', "cat's", 'face', '-n', '1'], environment)
    expect(plain.stdout).toMatch(/^1 {2}\d+\.\d\d {2}00:00:\d\d\.\d{3}( – 00:00:\d\d\.\d{3})? {2}\/.*photos\.mp4\n$/)

    const again = await vidgrep(['index', clip('')], environment)
    expect(again.code).toBe(0)
    expect(again.stdout).toMatch(/Nothing to do/)

    const listed = JSON.parse((await vidgrep(['videos', '--json'], environment)).stdout)
    expect(listed).toHaveLength(5)
    expect(Object.keys(listed[0])).toEqual([
      'path',
      'video',
      'status',
      'detail',
      'frames',
      'points',
      'duration',
      'recordedAt',
      'model',
    ])

    const none = await vidgrep(['search', 'x', '--threshold', '99'], environment)
    expect(none).toMatchObject({ code: 0, stdout: '' })
    expect(none.stderr).toMatch(/best score was \d+\.\d\d/)

    expect((await vidgrep(['remove', 'bunny.mp4'], environment)).stdout).toMatch(/removed .*bunny\.mp4/)
    expect(JSON.parse((await vidgrep(['videos', '--json'], environment)).stdout)).toHaveLength(4)

    const other = await vidgrep(['search', 'x', '--collection', 'other'], environment)
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(/no collection "other".*vidgrep/)
  })

  it('exits with 3 and names what failed, and goes on with the rest', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'in'))
    await writeFile(join(folder, 'in', 'broken.mp4'), 'no video')
    await copyClip('bunny.mp4', join(folder, 'in'))
    const { code, stderr, stdout } = await vidgrep([
      'index',
      join(folder, 'in'),
      '--detail',
      'whole',
      '--store',
      join(folder, 'store'),
    ])
    expect(code).toBe(3)
    expect(stderr).toMatch(/broken\.mp4: failed: /)
    expect(stdout).toMatch(/2 videos: 1 complete, 1 failed/)
  })

  it('says aloud that hardware did not decode, and when all videos can be searched', async () => {
    const store = join(await temporaryFolder(), 'store')
    const options = ['--model', tiny, '--store', store, '--coarse', '--hwaccel', 'nothing of the kind']
    const { code, stderr } = await vidgrep(['index', clip('bunny.mp4'), ...options])
    expect(code).toBe(0)
    expect(stderr).toMatch(/Decoded in software, not hardware: 1: .*bunny\.mp4 \(.*nothing of the kind/)
    const searchable = stderr.indexOf('All videos are indexed with --detail whole and can be searched now')
    expect(searchable).toBeGreaterThanOrEqual(0)
    expect(searchable).toBeLessThan(stderr.indexOf('[1/1]'))
  })

  it('writes the frame of a video', async () => {
    const picture = join(await temporaryFolder(), 'frame.png')
    expect((await vidgrep(['frame', clip('photos.mp4'), '0:10', '-o', picture])).code).toBe(0)
    expect(await sharp(picture).metadata()).toMatchObject({ format: 'png', width: 1280, height: 720 })
  })

  it('finds everything in order with doctor', async () => {
    const { code, stdout } = await vidgrep(['doctor', '--json'], { VIDGREP_HOME: await temporaryFolder() })
    expect(code).toBe(0)
    const names = JSON.parse(stdout).map(({ name }: { name: string }) => name)
    expect(names).toEqual(['machine', 'settings', 'ffmpeg', 'model', 'store'])
  })

  it('lists the carried model', async () => {
    const { stdout } = await vidgrep(['models', '--json'])
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({ name: 'starter', dimension: 384, onDisk: true }),
    )
  })
})

describe('Ctrl-C', () => {
  it('exits with 130, keeps what is durable and goes on the next time', async () => {
    const words = ['index', clip(''), '--detail', 'whole', '--json', '--store', join(await temporaryFolder(), 'store')]
    // Without --json, as that leaves out what it has done.
    const { child, ended } = start(words.filter((word) => word !== '--json'))
    child.stderr!.on('data', (text) => /\[1\/5\]/.test(text) && child.kill('SIGINT'))
    const { code, stderr } = await ended
    expect(stderr).toMatch(/Interrupted/)
    expect(code).toBe(130)
    const again = JSON.parse((await vidgrep(words)).stdout)
    expect(again.totals.complete).toBe(5)
    expect(again.totals.encoded).toBeLessThan(again.totals.points)
  })
})
