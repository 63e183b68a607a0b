import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { frames } from '../../src/video/frames.ts'
import { probe } from '../../src/video/probe.ts'
import { frame } from '../../src/video/still.ts'
import type { Picture, View } from '../../src/video/video.ts'
import { collect, colorAt, difference, h264, makeClip, testPicture, useFolder } from './makeClip.ts'

const inFolder = useFolder()
const reference = fileURLToPath(new URL('../reference/', import.meta.url))
const lossless = ['-c:v', 'ffv1', '-pix_fmt', 'bgr0'] as const

const firstPictures = async (file: string, views: readonly View[]) =>
  (await collect(frames(file, { everySeconds: 1, views })))[0]!.views

type Rule = { readonly grid: readonly number[]; readonly rgb: readonly (readonly number[])[] }
type Preprocess = {
  readonly pictures: readonly { file: string; size: [number, number]; results: Record<string, Rule> }[]
}

describe('Pillow’s resize rules', async () => {
  const { pictures } = JSON.parse(await readFile(`${reference}preprocess.json`, 'utf8')) as Preprocess
  const edgeCrop = (width: number, height: number, edge: number): View => {
    const scale = edge / Math.min(width, height)
    const scaled = { width: Math.floor(width * scale + 1e-9), height: Math.floor(height * scale + 1e-9) }
    return {
      ...scaled,
      crop: {
        x: Math.floor((scaled.width - edge) / 2),
        y: Math.floor((scaled.height - edge) / 2),
        width: edge,
        height: edge,
      },
    }
  }
  for (const { file, size, results } of pictures) {
    test(`are kept for ${file}`, async () => {
      const clip = await makeClip(inFolder(`${file.replaceAll('/', '-')}.mkv`), '-i', reference + file, ...lossless)
      const rules = {
        'edge224-bicubic': edgeCrop(...size, 224),
        'edge288-bicubic': edgeCrop(...size, 288),
        'squash224-bicubic': { width: 224, height: 224 },
        'squash256-bilinear': { width: 256, height: 256, interpolation: 'bilinear' as const },
      }
      const views = await firstPictures(clip, Object.values(rules))
      for (const [i, name] of Object.keys(rules).entries()) {
        const { grid, rgb } = results[name]!
        const { width, data } = views[i]!
        const got = grid.flatMap((y) =>
          grid.flatMap((x) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]),
        )
        const { mean, largest } = difference(got, rgb.flat())
        expect(mean).toBeLessThanOrEqual(2)
        expect(largest).toBeLessThanOrEqual(16)
      }
    })
  }
})

test('each view is the displayed picture scaled once, then cut', async () => {
  const clip = await makeClip(inFolder('park.mkv'), '-i', `${reference}pictures/park.png`, ...lossless)
  const crop = { x: 31, y: 17, width: 101, height: 63 }
  const views = await firstPictures(clip, [
    { width: 240, height: 135 },
    { width: 301, height: 199, crop },
    { width: 96, height: 96 },
  ])
  const own = (width: number, height: number) =>
    sharp(`${reference}pictures/park.png`).removeAlpha().resize(width, height, { fit: 'fill', kernel: 'cubic' })
  const wanted = [
    await own(240, 135).raw().toBuffer(),
    await sharp(await own(301, 199).png().toBuffer())
      .extract({ left: 31, top: 17, width: 101, height: 63 })
      .raw()
      .toBuffer(),
    await own(96, 96).raw().toBuffer(),
  ]
  for (const [i, { width, height, data }] of views.entries()) {
    expect(data.length).toBe(width * height * 3)
    expect(difference(data, wanted[i]!).mean).toBeLessThan(2)
  }
  expect(views.map(({ width, height }) => [width, height])).toEqual([
    [240, 135],
    [101, 63],
    [96, 96],
  ])
})

describe('colours', () => {
  const red = [255, 0, 0]
  const olive = [120, 140, 20]
  const expectColors = async (name: string, ...options: readonly string[]) => {
    const size = options.includes('large') ? '1280x720' : '320x240'
    const source = `color=0xff0000:size=${size}:rate=5:duration=0.4,format=rgb24,drawbox=x=iw/2:w=iw/2:h=ih:color=0x788c14:t=fill`
    const file = await makeClip(
      inFolder(name),
      '-f',
      'lavfi',
      '-i',
      source,
      ...options.filter((each) => each !== 'large'),
    )
    for (const view of await firstPictures(file, [
      { width: 64, height: 36 },
      { width: 48, height: 48 },
    ])) {
      expect(difference(colorAt(view, 0.25, 0.5), red).largest).toBeLessThanOrEqual(3)
      expect(difference(colorAt(view, 0.75, 0.5), olive).largest).toBeLessThanOrEqual(3)
    }
  }
  const yuv = (matrix: string, range: string, format: string) => [
    ...[
      '-vf',
      `scale=out_color_matrix=${matrix}:out_range=${range}:flags=accurate_rnd+full_chroma_int,format=${format}`,
    ],
    ...(matrix === 'bt709' ? ['-colorspace', 'bt709'] : ['-colorspace', 'smpte170m']),
    ...['-color_range', range === 'full' ? 'pc' : 'tv'],
  ]
  const exact = ['-c:v', 'libx264', '-qp', '0', '-preset', 'ultrafast']

  for (const matrix of ['bt601', 'bt709']) {
    for (const range of ['limited', 'full']) {
      for (const format of ['yuv420p', 'yuv444p']) {
        test(`${matrix}, ${range} range, ${format}`, () =>
          expectColors(`${matrix}-${range}-${format}.mp4`, ...yuv(matrix, range, format), ...exact))
      }
      test(`${matrix}, ${range} range, 10 bits`, () =>
        expectColors(`${matrix}-${range}-10.mkv`, ...yuv(matrix, range, 'yuv420p10le'), '-c:v', 'ffv1'))
    }
  }

  // Raw video in AVI has no place to say how its numbers mean colours.
  const untagged = (matrix: string) => [
    ...['-vf', `scale=out_color_matrix=${matrix}:out_range=limited,format=yuv420p`, '-c:v', 'rawvideo'],
  ]
  test('nothing said: BT.601 below 720 lines', () => expectColors('untagged-small.avi', ...untagged('bt601')))
  test('nothing said: BT.709 from 720 lines up', () =>
    expectColors('untagged-large.avi', 'large', ...untagged('bt709')))
  test('RGB', () => expectColors('rgb.mkv', 'large', ...lossless))
  test('planar RGB', () => expectColors('gbrp.mp4', '-c:v', 'libx264rgb', '-qp', '0', '-pix_fmt', 'rgb24'))
  test('transparency is left out', async () => {
    const clear = ['-vf', 'format=rgba,colorchannelmixer=aa=0.3']
    await expectColors('alpha.mov', ...clear, '-c:v', 'qtrle')
    await expectColors('alpha.mkv', ...clear, '-c:v', 'ffv1', '-pix_fmt', 'bgra')
    await expectColors(
      'yuva.mkv',
      '-vf',
      'format=rgba,colorchannelmixer=aa=0.3,scale=out_color_matrix=bt601,format=yuva420p',
      '-c:v',
      'ffv1',
    )
  })
  test('a palette', () => expectColors('palette.gif'))
  test('Motion JPEG', () => expectColors('mjpeg.avi', '-c:v', 'mjpeg', '-q:v', '1', '-pix_fmt', 'yuvj444p'))
})

/**
 * Coded levels [Y, Cb, Cr] of 10 bits for colours of sRGB whose white has 203 nits: BT.709 to BT.2020 (ITU-R BT.2087), then
 * PQ or HLG (ITU-R BT.2100), each channel of HLG by its inverse EOTF for a screen of 1,000 nits.
 */
const hdrColors = [
  { shown: [128, 128, 128], smpte2084: [439, 512, 512], 'arib-std-b67': [476, 512, 512] },
  { shown: [200, 40, 30], smpte2084: [374, 459, 588], 'arib-std-b67': [370, 434, 651] },
  { shown: [120, 140, 20], smpte2084: [438, 436, 509], 'arib-std-b67': [480, 387, 503] },
  { shown: [30, 60, 180], smpte2084: [332, 600, 501], 'arib-std-b67': [299, 669, 495] },
  // All that is brighter than four fifths of white is compressed, in each channel of what is shown.
  { shown: [244, 244, 0], smpte2084: [560, 415, 518], 'arib-std-b67': [697, 333, 524] },
  { shown: [0, 0, 0], smpte2084: [64, 512, 512], 'arib-std-b67': [64, 512, 512] },
] as const

describe('HDR is shown as on a screen without it', () => {
  /** A video with an upright stripe for each of the colours, that says of itself what `tags` say. */
  const striped = (name: string, colors: readonly (readonly number[])[], tags: readonly string[], range = 'tv') => {
    const [lum, cb, cr] = [0, 1, 2].map((i) => colors.map((color, at) => `${color[i]}*eq(floor(X/16),${at})`).join('+'))
    const size = `${colors.length * 16}x32`
    const source = `color=black:size=${size}:rate=5:duration=0.4,format=yuv444p10le,geq=lum='${lum}':cb='${cb}':cr='${cr}'`
    const lossless = ['-c:v', 'ffv1', '-pix_fmt', 'yuv444p10le', '-color_range', range]
    return makeClip(inFolder(name), '-f', 'lavfi', '-i', source, ...lossless, ...tags)
  }
  /** The stripes' colours, which are those of a smaller view and of a still too. */
  const shownAs = async (file: string) => {
    const { width, height } = await probe(file)
    const [whole, small] = await firstPictures(file, [
      { width, height },
      { width: width / 2, height, crop: { x: 0, y: 8, width: width / 2, height: 8 } },
    ])
    const still = await frame(file, 0.2)
    const stripes = (picture: Picture) =>
      Array.from({ length: width / 16 }, (_, i) => colorAt(picture, ((i + 0.5) * 16) / width, 0.5))
    expect(stripes(small!)).toEqual(stripes(whole!))
    expect(stripes(still)).toEqual(stripes(whole!))
    return stripes(whole!)
  }
  const wide = ['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc']

  for (const transfer of ['smpte2084', 'arib-std-b67'] as const) {
    const tags = ['-color_trc', transfer, ...wide]
    test(`${transfer}: colours are those of the scene`, async () => {
      const levels = hdrColors.map(({ [transfer]: coded }) => coded)
      const found = await shownAs(await striped(`${transfer}-colors.mkv`, levels, tags))
      for (const [i, { shown }] of hdrColors.entries())
        expect(difference(found[i]!, shown).largest, `${shown}`).toBeLessThanOrEqual(4)
    })

    test(`${transfer}: white is white, and lights are told from it`, async () => {
      const white = transfer === 'smpte2084' ? 573 : 721
      const levels = [white, (white + 940) / 2, 940].map((level) => [level, 512, 512])
      const found = await shownAs(await striped(`${transfer}-lights.mkv`, levels, tags))
      for (const [red, green, blue] of found) expect([green, blue]).toEqual([red, red])
      const [reference, bright, brightest] = found.map(([red]) => red!)
      expect(reference).toBeGreaterThanOrEqual(240)
      expect(bright).toBeGreaterThan(reference!)
      expect(brightest).toBeGreaterThanOrEqual(bright!)
    })
  }

  test('full range, and tags that name the transfer alone', async () => {
    const full = ['-color_trc', 'smpte2084', ...wide]
    const level = Math.round(((573 - 64) / 876) * 1023)
    const [white] = await shownAs(await striped('full.mkv', [[level, 512, 512]], full, 'pc'))
    expect(white![0]).toBeGreaterThanOrEqual(240)
    const [red] = await shownAs(await striped('bare.mkv', [hdrColors[1].smpte2084], ['-color_trc', 'smpte2084']))
    expect(difference(red!, hdrColors[1].shown).largest).toBeLessThanOrEqual(4)
  })

  test('wide colours without HDR stay as they were', async () => {
    const levels = [502, 512, 512]
    const grey = Math.round(((502 - 64) / 876) * 255)
    for (const [name, ...tags] of [
      ['sdr-wide.mkv', '-color_trc', 'bt2020-10', ...wide],
      ['sdr.mkv', '-color_trc', 'bt709', '-color_primaries', 'bt709', '-colorspace', 'bt709'],
      ['untagged.mkv'],
    ] as const) {
      const [found] = await shownAs(await striped(name, [levels], tags))
      expect(difference(found!, [grey, grey, grey]).largest).toBeLessThanOrEqual(1)
    }
  })
})

/** Writes a display matrix into an MP4's track header: [a, b, c, d] of ISO/IEC 14496-12, 8.3.2. */
const turned = async (file: string, [a, b, c, d]: readonly [number, number, number, number]) => {
  const bytes = await readFile(file)
  const at = bytes.indexOf('tkhd') + 44
  for (const [i, value] of [a, b, 0, c, d, 0, 0, 0].entries()) bytes.writeInt32BE(value * 65536, at + i * 4)
  return bytes
}

describe('a turned video', async () => {
  const { writeFile } = await import('node:fs/promises')
  // Seen from the displayed picture: which quarter of the coded one lies top left, and which top right.
  const cases = [
    ['upright', [1, 0, 0, 1], 'red', 'green'],
    ['a quarter clockwise', [0, 1, -1, 0], 'blue', 'red'],
    ['half', [-1, 0, 0, -1], 'white', 'blue'],
    ['a quarter anticlockwise', [0, -1, 1, 0], 'green', 'white'],
    ['mirrored', [-1, 0, 0, 1], 'green', 'red'],
    ['upside down', [1, 0, 0, -1], 'blue', 'white'],
    ['along one diagonal', [0, 1, 1, 0], 'red', 'blue'],
    ['along the other', [0, -1, -1, 0], 'white', 'green'],
  ] as const
  const levels = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], white: [255, 255, 255] }
  for (const [how, matrix, left, right] of cases) {
    test(`is shown as meant: ${how}`, async () => {
      const box = (x: string, y: string, color: string) => `drawbox=x=${x}:y=${y}:w=iw/2:h=ih/2:color=${color}:t=fill`
      const quarters = `color=red:size=160x96:rate=5:duration=0.4,format=rgb24,${box('iw/2', '0', '0x00ff00')},${box('0', 'ih/2', '0x0000ff')},${box('iw/2', 'ih/2', 'white')}`
      const file = await makeClip(
        inFolder('quarters.mp4'),
        '-f',
        'lavfi',
        '-i',
        quarters,
        '-c:v',
        'libx264rgb',
        '-qp',
        '0',
      )
      await writeFile(inFolder('turned.mp4'), await turned(file, matrix))
      const info = await probe(inFolder('turned.mp4'))
      const sideways = matrix[1] !== 0
      expect([info.width, info.height]).toEqual(sideways ? [96, 160] : [160, 96])
      const crop = { x: info.width / 2, y: 0, width: info.width / 2, height: info.height / 2 }
      const [whole, corner] = await firstPictures(info.path, [info, { ...info, crop }])
      expect(difference(colorAt(whole!, 0.25, 0.25), levels[left]).largest).toBeLessThan(4)
      expect(difference(colorAt(whole!, 0.75, 0.25), levels[right]).largest).toBeLessThan(4)
      expect(difference(colorAt(corner!, 0.5, 0.5), levels[right]).largest).toBeLessThan(4)
    })
  }
})

test('pixels that are not square make the displayed picture wider', async () => {
  const file = await makeClip(inFolder('anamorphic.mp4'), ...testPicture(1, '180x144'), '-vf', 'setsar=16/11', ...h264)
  const info = await probe(file)
  expect([info.width, info.height]).toEqual([262, 144])
  const [picture] = await firstPictures(file, [info])
  expect(picture!.data.length).toBe(262 * 144 * 3)
})

test('a view that makes no sense is refused', async () => {
  const file = await makeClip(inFolder('plain.mp4'), ...testPicture(1), ...h264)
  const crop = { x: 10, y: 0, width: 60, height: 10 }
  for (const views of [
    [],
    [{ width: 0, height: 10 }],
    [{ width: 64, height: 64.5 }],
    [{ width: 64, height: 64, crop }],
  ]) {
    await expect(frames(file, { everySeconds: 1, views }).next()).rejects.toThrow(RangeError)
  }
  for (const everySeconds of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(frames(file, { everySeconds, views: [{ width: 8, height: 8 }] }).next()).rejects.toThrow(
      /Expected a number of seconds/,
    )
  }
})
