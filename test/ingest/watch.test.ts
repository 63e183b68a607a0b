import { appendFile, copyFile, mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Index, WatchEvent } from '../../src/index.ts'
import { h264, makeClip, testPicture } from '../video/makeClip.ts'
import { open, temporaryFolder } from './indexing.ts'

/** Follows a watch until it is up to date with nothing to wait for, again and again. */
const start = (index: Index, folder: string, options: { readonly pollSeconds?: number } = {}) => {
  const stop = new AbortController()
  const sampling = { detail: 'whole', everySeconds: 1, settleSeconds: 0.25 } as const
  const events = index.watch([folder], { ...sampling, ...options, signal: stop.signal })
  /** Paths that were indexed (+) and forgotten (−), and trouble (!), up to the next quiet. */
  const untilQuiet = async (): Promise<readonly string[]> => {
    const told: string[] = []
    for (;;) {
      const { value: event, done } = await events.next()
      if (done || (event.type === 'watching' && event.waiting === 0)) return told
      told.push(...lineOf(event, folder))
    }
  }
  return { untilQuiet, end: () => stop.abort(), events }
}

const lineOf = (event: WatchEvent, folder: string): readonly string[] => {
  const name = (path: string) => path.slice(folder.length + 1)
  if (event.type === 'video') {
    const { path, status, encoded } = event.result
    return [`+ ${name(path)}${status === 'complete' ? '' : ` ${status}`}${encoded > 0 ? '' : ', nothing encoded'}`]
  }
  if (event.type === 'forgotten') return [`− ${name(event.path)}`]
  return event.type === 'trouble' ? [`! ${event.reason}`] : []
}

describe('a watched folder', () => {
  it('is kept up to date: new, moved, changed and deleted files, also in new folders', async () => {
    const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const at = (name: string) => join(folder, name)
    const video = await makeClip(join(elsewhere, 'v.mp4'), ...testPicture(2), ...h264)
    const other = await makeClip(join(elsewhere, 'w.mp4'), ...testPicture(3), ...h264)
    const third = await makeClip(join(elsewhere, 'x.mp4'), ...testPicture(4), ...h264)
    await copyFile(video, at('a.mp4'))
    const index = await open(await temporaryFolder())
    const { untilQuiet, end, events } = start(index, folder)
    expect(await untilQuiet()).toEqual(['+ a.mp4'])

    await mkdir(at('new'))
    await copyFile(other, at('new/b.mp4'))
    expect(await untilQuiet()).toEqual(['+ new/b.mp4'])

    await rename(at('a.mp4'), at('new/c.mp4'))
    expect(await untilQuiet()).toEqual(['+ new/c.mp4, nothing encoded', '− a.mp4'])
    expect(await index.videos()).toHaveLength(2)

    await copyFile(third, at('new/c.mp4'))
    expect(await untilQuiet()).toEqual(['+ new/c.mp4'])
    await writeFile(at('damaged.mp4'), 'text')
    expect(await untilQuiet()).toEqual(['+ damaged.mp4 failed, nothing encoded'])
    await rm(at('new'), { recursive: true })
    const gone = await untilQuiet()
    expect([...gone].sort()).toEqual(['− new/b.mp4', '− new/c.mp4'])
    expect((await index.videos()).map(({ status }) => status)).toEqual(['failed'])

    end()
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  it('is waited for: while a file is being written, and while the disk is missing', async () => {
    const [parent, elsewhere] = [await temporaryFolder(), await temporaryFolder()]
    const bytes = await readFile(await makeClip(join(elsewhere, 'v.mp4'), ...testPicture(1), ...h264))
    const folder = join(parent, 'disk')
    const growing = join(folder, 'a.mp4')
    await mkdir(folder)
    // What is copied may keep the time of the original.
    const write = async (from: number, to: number) => {
      await appendFile(growing, bytes.subarray(from, to))
      await utimes(growing, new Date(0), new Date(0))
    }
    await write(0, 1000)
    const index = await open(await temporaryFolder())
    const { events, untilQuiet, end } = start(index, folder, { pollSeconds: 0.2 })
    expect((await events.next()).value).toMatchObject({ type: 'watching', waiting: 1 })
    await write(1000, bytes.length)
    expect(await untilQuiet()).toEqual(['+ a.mp4'])

    await rename(growing, join(elsewhere, 'a.mp4'))
    expect(await untilQuiet()).toEqual([expect.stringContaining('is a disk missing?')])
    expect(await index.videos()).toHaveLength(1)
    await rm(folder, { recursive: true })
    expect((await events.next()).value).toMatchObject({ type: 'trouble', reason: expect.stringContaining(folder) })
    end()
    await events.return()
  })

  it('has to be there at first', async () => {
    const index = await open(await temporaryFolder())
    const { events } = start(index, '/nowhere')
    await expect(events.next()).rejects.toMatchObject({ code: 'usage' })
  })
})
