import type { StreamInfo } from './probe.ts'

/**
 * How the coded numbers mean colours, as options of the scale filter. Said aloud because ffmpeg's own guess for a file
 * that says nothing is BT.601 at any size, where players take BT.709 from 720 lines up. RGB needs no word.
 */
export const colorOptions = (stream: StreamInfo): string => {
  const { pixelFormat, colorMatrix, colorRange, codedHeight } = stream
  if (/^(rgb|bgr|gbr|argb|abgr|0rgb|0bgr|pal8|mono|x2)/.test(pixelFormat)) return ''
  const full = colorRange === 'pc' || (colorRange === undefined && /^(yuvj|gray)/.test(pixelFormat))
  const unstated = isHdr(stream) ? 'bt2020' : codedHeight >= 720 ? 'bt709' : 'bt601'
  return `:in_color_matrix=${scaleMatrix[colorMatrix ?? ''] ?? unstated}:in_range=${full ? 'full' : 'limited'}`
}

/** ffprobe's name of a matrix → the scale filter's, as all versions know it. */
const scaleMatrix: Readonly<Record<string, string>> = {
  bt709: 'bt709',
  bt470bg: 'bt601',
  smpte170m: 'bt601',
  fcc: 'fcc',
  smpte240m: 'smpte240m',
  bt2020nc: 'bt2020',
  bt2020c: 'bt2020',
}

/**
 * Filters that turn an HDR picture (PQ, HLG) into one as a screen without HDR shows it: to linear light, where the
 * reference white of 203 nits (ITU-R BT.2408) is 1, from the primaries of BT.2020 to those of BT.709, then to sRGB with
 * what is bright compressed. None for other pictures.
 *
 * Tables and a matrix rather than zscale and tonemap: every ffmpeg has them and they give the same levels in all, so that
 * machines that fill one collection agree; and they take a picture whatever it says of itself.
 */
export const toneMapping = (stream: StreamInfo): readonly string[] => {
  if (!isHdr(stream)) return []
  const isWide = stream.colorPrimaries === undefined || stream.colorPrimaries === 'bt2020'
  return [
    'format=rgb48le',
    table(`(${light[stream.colorTransfer!]!})/${peakLight}`),
    ...(isWide ? [`colorchannelmixer=${bt2020ToBt709}`] : []),
    table(`st(0,${peakLight}*ld(9));st(9,${compressed('ld(0)')});${srgb}`),
  ]
}

const isHdr = ({ colorTransfer = '' }: StreamInfo): boolean => colorTransfer in light

/** A level of 0 to 1 is in the expression's variable 9; what it makes of it is cut to that range. */
const table = (expression: string): string => {
  const each = `'65535*(st(9,val/65535);${expression})'`
  return `lutrgb=r=${each}:g=${each}:b=${each}`
}

/** Light of a channel that is kept, 1,015 nits; what is brighter is white. Of 65,536 steps up to there none can be seen. */
const peakLight = 5

/**
 * Coded level → linear light, 1 for 203 nits (ITU-R BT.2100, tables 4 and 5). HLG is meant for a screen of 1,000 nits,
 * and its system gamma of 1.2 is applied to each channel by itself.
 */
const light: Readonly<Record<string, string>> = {
  smpte2084:
    'st(1,pow(ld(9),1/78.84375));10000/203*pow(max(ld(1)-0.8359375,0)/(18.8515625-18.6875*ld(1)),1/0.1593017578125)',
  'arib-std-b67':
    '1000/203*pow(if(lte(ld(9),0.5),ld(9)*ld(9)/3,(exp((ld(9)-0.55991073)/0.17883277)+0.28466892)/12),1.2)',
}

/** Light up to here stays as it is; what is brighter comes ever nearer to 1. */
const kneeLight = 0.8

const compressed = (x: string): string =>
  `if(lt(${x},${kneeLight}),${x},1-${(1 - kneeLight) ** 2}/(${x}+${1 - 2 * kneeLight}))`

/** IEC 61966-2-1. */
const srgb = 'if(lt(ld(9),0.0031308),12.92*ld(9),1.055*pow(ld(9),1/2.4)-0.055)'

/** Rows of three and a zero for alpha (ITU-R BT.2087). */
const bt2020ToBt709 = '1.6605:-0.5876:-0.0728:0:-0.1246:1.1329:-0.0083:0:-0.0182:-0.1006:1.1187'
