import { clockLimits } from './clock.ts'
import { colorOptions, toneMapping } from './color.ts'
import { isSideways, turnFilters } from './display.ts'
import { isAtLeast, type ToolVersion } from './ffmpeg.ts'
import type { StreamInfo } from './probe.ts'
import type { Picture, View } from './video.ts'

/**
 * Widened when shrinking, with nothing saved at the cost of rounding. From 7.0 on bicubic is Pillow's (a = −0.5).
 * Older versions cut the parameter down to a whole number; left to themselves they take −0.6, which is near: a mean
 * difference to Pillow of at most half a level, where 0 or −1 make it two.
 */
const scaling = (interpolation: 'bicubic' | 'bilinear', tool: ToolVersion): string => {
  const pillows = interpolation === 'bicubic' && isAtLeast(tool, 61, 0) ? ':param0=0:param1=0.5' : ''
  return `flags=${interpolation}+accurate_rnd+full_chroma_int+full_chroma_inp${pillows}`
}

/**
 * Once its time is printed, a frame gets one that no later step can take for another's: times that are close, equal or
 * going back would be rounded to the same tick of the nominal frame rate, and the writer refuses the second one. A tick
 * of a time lapse may take hours: the new times lie a day apart.
 */
const spread = 'settb=1,setpts=N*86400'

/**
 * Follows the clock of an MPEG stream where it was set anew, as where recordings were joined: the first frame after that
 * comes when the one before it ends. Steps and holes are printed, the times before and after each.
 */
const followClock = ({ frameRate, durationSeconds }: StreamInfo): string => {
  const { backSeconds, holeSeconds, aheadSeconds } = clockLimits(frameRate, durationSeconds)
  const step = 'ld(0)*TB'
  return [
    `setpts='st(0,if(isnan(PREV_INPTS+PTS),0,PTS-PREV_INPTS))`,
    `st(1,ld(1)+if(lt(${step},-${backSeconds})+gt(${step},${aheadSeconds}),round(1/${frameRate || 25}/TB)-ld(0),0))`,
    `if(gt(abs(${step}),${holeSeconds}),print(PREV_INPTS*TB,32)+print(PTS*TB,32))`,
    `PTS+ld(1)'`,
  ].join(';')
}

/** Bytes of a pixel: red, green, blue. */
const channels = 3

/** Where a view lies in the one raw picture that holds all views of a frame side by side. */
type Place = { readonly x: number; readonly width: number; readonly height: number }

/** One raw picture a frame: all its views from left to right, those that are lower with black below. */
export type Packing = {
  readonly width: number
  readonly height: number
  readonly bytes: number
  readonly places: readonly Place[]
}

export const packingOf = (views: readonly View[]): Packing => {
  const sizes = views.map(({ width, height, crop }) => crop ?? { width, height })
  const places = sizes.map((size, i) => ({
    x: sizes.slice(0, i).reduce((sum, { width }) => sum + width, 0),
    width: size.width,
    height: size.height,
  }))
  const width = sizes.reduce((sum, size) => sum + size.width, 0)
  const height = Math.max(...sizes.map((size) => size.height))
  return { width, height, bytes: width * height * channels, places }
}

/**
 * The filter graph: pick frames, then scale each view straight from the coded picture, turn it for display and cut it.
 * Nothing but `scale` sees the coded size, and it takes a change of size midway; that is why the turning comes after.
 * `showinfo` comes after all that could drop a frame, so that its lines are in step with the raw pictures.
 *
 * @param select expression of ffmpeg's select filter, `undefined` for every frame
 * @param isWhole all frames come, from the beginning on
 */
export const filterGraph = (
  views: readonly View[],
  info: StreamInfo,
  select: string | undefined,
  isWhole: boolean,
  tool: ToolVersion,
): string => {
  const packing = packingOf(views)
  const follow = isWhole && info.clock ? `${followClock(info)},` : ''
  const pick = follow + (select === undefined ? 'null' : `select='${select}'`)
  // From 4.3 on the checksums, which nobody reads, can be left out.
  const times = `${isAtLeast(tool, 58, 91) ? 'showinfo=checksum=0' : 'showinfo'},${spread}`
  if (views.length === 1) return [pick, ...viewFilters(views[0]!, info, tool), times].join(',')
  const chains = views.map((view, i) => {
    const padding =
      packing.places[i]!.height < packing.height ? [`pad=${packing.places[i]!.width}:${packing.height}:0:0`] : []
    return `[v${i}]${[...viewFilters(view, info, tool), ...padding].join(',')}[w${i}]`
  })
  const names = (letter: string) => views.map((_, i) => `[${letter}${i}]`).join('')
  return `${pick},split=${views.length}${names('v')};${chains.join(';')};${names('w')}hstack=inputs=${views.length},${times}`
}

const viewFilters = (view: View, info: StreamInfo, tool: ToolVersion): readonly string[] => {
  const { crop, interpolation = 'bicubic' } = view
  const [width, height] = isSideways(info.orientation) ? [view.height, view.width] : [view.width, view.height]
  const cut = crop ? [`crop=${crop.width}:${crop.height}:${crop.x}:${crop.y}`] : []
  return [
    `scale=${width}:${height}:${scaling(interpolation, tool)}${colorOptions(info)}`,
    ...toneMapping(info),
    'format=rgb24',
    ...turnFilters(info.orientation),
    ...cut,
  ]
}

/** Cuts raw pictures into their views, in memory that is used again. */
export type Unpacker = {
  /** @param done called when the packed picture may be overwritten */
  unpack(packed: Uint8Array, done: () => void): { readonly views: readonly Picture[]; done(): void }
}

/** A packed picture that holds one view only is handed on as it is. */
export const createUnpacker = (packing: Packing): Unpacker => {
  const free: (readonly Picture[])[] = []
  return {
    unpack: (packed, done) => {
      if (packing.places.length === 1) return { views: unpack(packed, packing), done }
      const views = unpack(packed, packing, free.pop())
      done()
      return { views, done: () => void free.push(views) }
    },
  }
}

/**
 * Cuts a raw picture into its views. The packed one is handed on as it is where it holds one view only.
 * @param into pictures of an earlier call, which are written over
 */
export const unpack = (
  packed: Uint8Array,
  { width, places }: Packing,
  into?: readonly Picture[],
): readonly Picture[] => {
  if (places.length === 1) return [{ width, height: places[0]!.height, data: packed }]
  // Buffer.copy takes positions, so that no row needs a view of its own.
  const source = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  return places.map((place, i) => {
    const rowBytes = place.width * channels
    const data = into?.[i]?.data ?? new Uint8Array(rowBytes * place.height)
    for (let row = 0; row < place.height; row++) {
      const from = (row * width + place.x) * channels
      source.copy(data, row * rowBytes, from, from + rowBytes)
    }
    return { width: place.width, height: place.height, data }
  })
}
