import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { findVideos } from '../../src/files/walk.ts'
import { h264, makeClip, testPicture, useFolder } from '../video/makeClip.ts'

const inFolder = useFolder()

beforeAll(async () => {
  for (const folder of ['films/b/deep', 'films/.cache', 'films/empty', 'outside']) {
    await mkdir(inFolder(folder), { recursive: true })
  }
  const files = [
    'films/a.mp4',
    'films/B.MKV',
    'films/b/x.webm',
    'films/b/deep/y.mov',
    'films/notes.txt',
    'films/.hidden.mp4',
  ]
  for (const name of [...files, 'films/.cache/c.mp4', 'films/b.avi', 'outside/z.mp4', 'outside/odd.bin']) {
    await writeFile(inFolder(name), '')
  }
})

/** Paths below the test's folder, with the reason where one was passed over. */
const walk = async (...roots: readonly string[]) => {
  const found: string[] = []
  for await (const item of findVideos(roots.map(inFolder))) {
    const path = relative(inFolder('.'), item.path)
    found.push('kind' in item ? `${path}: ${item.reason}` : path)
  }
  return found
}

test('a folder is walked in the order of its names, all the way down', async () => {
  expect(await walk('films')).toEqual([
    ...['films/.cache: hidden', 'films/.hidden.mp4: hidden', 'films/B.MKV', 'films/a.mp4'],
    ...['films/b/deep/y.mov', 'films/b/x.webm', 'films/b.avi', 'films/notes.txt: not a video'],
  ])
})

test('a file that is named is tried, whatever it is called', async () => {
  expect(await walk('outside/odd.bin', 'films/.hidden.mp4', 'films/.cache')).toEqual([
    ...['outside/odd.bin', 'films/.hidden.mp4', 'films/.cache/c.mp4'],
  ])
})

test('what is given twice comes once', async () => {
  expect(await walk('outside/z.mp4', 'outside', 'outside/../outside/z.mp4', 'outside')).toEqual([
    ...['outside/z.mp4', 'outside/odd.bin: not a video'],
  ])
})

test('a root that does not exist is an error before anything is found', async () => {
  const found = findVideos([inFolder('films'), inFolder('nowhere')]).next()
  await expect(found).rejects.toThrow(UsageError)
  await expect(found).rejects.toThrow(`got ${inFolder('nowhere')}: not one that exists`)
})

test('an abort ends the walk', async () => {
  const controller = new AbortController()
  const found = findVideos([inFolder('films')], { signal: controller.signal })
  await found.next()
  controller.abort(new Error('enough'))
  const rest = async () => {
    for await (const _ of found);
  }
  await expect(rest()).rejects.toThrow('enough')
})

describe('links', () => {
  beforeAll(async () => {
    await mkdir(inFolder('linked/sub'), { recursive: true })
    await writeFile(inFolder('linked/sub/v.mp4'), '')
    await symlink(inFolder('linked'), inFolder('linked/sub/up'))
    await symlink(inFolder('linked/sub/v.mp4'), inFolder('linked/again.mp4'))
    await symlink(inFolder('outside'), inFolder('linked/out'))
    await symlink(inFolder('outside/z.mp4'), inFolder('linked/z.mp4'))
    await symlink(inFolder('gone.mp4'), inFolder('linked/broken.mp4'))
    await symlink(inFolder('linked'), inFolder('entrance'))
  })

  const below = (root: string) => [
    ...[`${root}/broken.mp4: a link that leads nowhere (ENOENT)`, `${root}/out: a link that leads out of the folder`],
    ...[`${root}/sub/v.mp4`, `${root}/z.mp4: a link that leads out of the folder`],
  ]

  test('within a folder are not followed out of it, nor round in circles', async () => {
    expect(await walk('linked')).toEqual(below('linked'))
  })

  test('are followed where they are the root', async () => {
    expect(await walk('entrance')).toEqual(below('entrance'))
    expect(await walk('linked/z.mp4')).toEqual(['linked/z.mp4'])
  })

  test('to another root are found there', async () => {
    expect(await walk('linked', 'outside')).toEqual([
      ...['linked/broken.mp4: a link that leads nowhere (ENOENT)', 'linked/sub/v.mp4'],
      ...['outside/odd.bin: not a video', 'outside/z.mp4'],
    ])
  })
})

test('a transport stream is told from TypeScript, which shares its ending', async () => {
  await mkdir(inFolder('streams'))
  await makeClip(inFolder('streams/film.ts'), ...testPicture(1), ...h264, '-f', 'mpegts')
  await makeClip(inFolder('streams/camera.mts'), ...testPicture(1), ...h264, '-f', 'mpegts', '-mpegts_m2ts_mode', '1')
  const film = await readFile(inFolder('streams/film.ts'))
  await writeFile(inFolder('streams/begun-late.ts'), film.subarray(77))
  await writeFile(inFolder('streams/program.ts'), `${'export const GREAT = "G"\n'.repeat(100)}`)
  await writeFile(inFolder('streams/empty.mts'), '')
  expect(await walk('streams')).toEqual([
    ...['streams/begun-late.ts', 'streams/camera.mts', 'streams/empty.mts: not a video', 'streams/film.ts'],
    'streams/program.ts: not a video',
  ])
})
