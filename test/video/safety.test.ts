import { execFile } from 'node:child_process'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findVideos } from '../../src/files/walk.ts'
import { findTool } from '../../src/video/ffmpeg.ts'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import { collect, h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const options = { everySeconds: 1, views: [{ width: 16, height: 16 }] }
let clip: string
let server: Server
let connections = 0

beforeAll(async () => {
  clip = await makeClip(inFolder('clip.mp4'), ...testPicture(2), ...h264)
  await makeClip(inFolder('clip.ts'), '-i', clip, '-c', 'copy')
  server = createServer((_, response) => response.end()).on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => new Promise((resolve) => server.close(resolve)))

describe('a name means nothing but a file', () => {
  const names = [
    'two words.mp4',
    'it\'s "quoted".mp4',
    'line\nend.mp4',
    '%03d.mp4',
    '-y.mp4',
    'http:x.mp4',
    'видео 動画 é.mp4',
    'a|b;c&d$HOME`.mp4',
    'concat:clip.mp4',
    '[0:v],:=\\.mp4',
    '*?.mp4',
  ]
  for (const name of names) {
    test(JSON.stringify(name), async () => {
      await mkdir(inFolder('names'), { recursive: true })
      const file = inFolder(`names/${name}`)
      await copyFile(clip, file)
      expect((await probe(file)).path).toBe(file)
      expect(await collect(frames(file, options))).toHaveLength(2)
      expect((await frame(file, 1)).width).toBe(160)
    })
  }

  test('and is found by walking the folder', async () => {
    const found: string[] = []
    for await (const { path } of findVideos([inFolder('names')])) found.push(path)
    expect(found).toEqual(names.map((name) => inFolder(`names/${name}`)).sort())
  })

  test('also when it is given relative to the current folder', async () => {
    const before = process.cwd()
    process.chdir(inFolder('names'))
    try {
      for (const name of ['-y.mp4', 'http:x.mp4', '%03d.mp4'])
        expect(await collect(frames(name, options))).toHaveLength(2)
    } finally {
      process.chdir(before)
    }
  })
})

describe('a playlist dressed as a video opens nothing', () => {
  const playlists = () => {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      'concat.mp4': 'ffconcat version 1.0\nfile clip.mp4\n',
      'hls.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${address}/clip.ts\n#EXT-X-ENDLIST\n`,
      'hls.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${address}/clip.ts\n#EXT-X-ENDLIST\n`,
      'near.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.ts\n#EXT-X-ENDLIST\n',
      'remote.sdp':
        'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n',
      'dash.mp4': `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><AdaptationSet><Representation id="0" bandwidth="1"><BaseURL>${address}/</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    }
  }

  test('not even when it is asked for as a video that was probed before', async () => {
    for (const [name, text] of Object.entries(playlists())) {
      const file = inFolder(name)
      await copyFile(clip, file)
      const info = await probe(file)
      await writeFile(file, text)
      await expect(probe(file), name).rejects.toThrow('Expected a video, got')
      const decoded: number[] = []
      const decode = async () => {
        for await (const { timestampSeconds } of frames(file, { ...options, info })) decoded.push(timestampSeconds)
      }
      await expect(decode(), name).rejects.toThrow('no frame could be decoded')
      await expect(frame(file, 1, { info }), name).rejects.toThrow('no frame could be decoded')
      expect(decoded, name).toEqual([])
    }
    expect(connections).toBe(0)
  })

  test('where ffprobe by itself would', async () => {
    const { path } = await findTool('ffprobe')
    const ask = (file: string) => promisify(execFile)(path, ['-v', 'error', '-show_streams', `file:${file}`])
    await writeFile(inFolder('concat.mp4'), playlists()['concat.mp4'])
    await writeFile(inFolder('hls.m3u8'), playlists()['hls.m3u8'])
    expect((await ask(inFolder('concat.mp4'))).stdout).toContain('codec_name=h264')
    await promisify(execFile)(path, [
      '-v',
      'error',
      '-protocol_whitelist',
      'file,http,tcp',
      inFolder('hls.m3u8'),
    ]).catch(() => {})
    expect(connections).toBeGreaterThan(0)
  })
})
