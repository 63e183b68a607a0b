import { basename, extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../errors.ts'
import { canDropFrames, type FrameRate, frameAt, nominalRate, timecode } from '../video/timecode.ts'

/** A stretch of a video as an editor takes it. */
export type Clip = {
  /** Absolute. */
  readonly path: string
  /** Seconds from the start of the file; the end is not part of it. */
  readonly from: number
  readonly to: number
  /** The moment within it that was found, in seconds. */
  readonly t: number
  /** What an editor is shown: the query, mostly. */
  readonly name: string
  readonly score?: number
  readonly rate: FrameRate
  /** Number of the frame that the file's own time code begins with; 0 where it has none. */
  readonly startFrame: number
  /** How its time code counts; by default as is the custom at its rate. */
  readonly dropFrame?: boolean
  /** When the picture begins, where the sound begins earlier: frames count from there. @default 0 */
  readonly startSeconds?: number
  /** When it ends. */
  readonly endSeconds: number
  readonly width: number
  readonly height: number
}

export const exportFormats = ['edl', 'otio', 'fcpxml', 'csv'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** @throws UsageError if the file's ending is none of {@link exportFormats} */
export const exportFormatOf = (file: string): ExportFormat => {
  const ending = extname(file).slice(1).toLowerCase()
  const format = exportFormats.find((known) => known === ending)
  if (format) return format
  throw new UsageError(
    `Expected a file that ends in ${exportFormats.map((each) => `.${each}`).join(', ')}, got ${file}`,
    {
      remedy: 'For Premiere and Resolve: moments.edl; for Final Cut: moments.fcpxml; for spreadsheets: moments.csv',
    },
  )
}

/** By what a file of each format is known, so that nothing else is overwritten; of CSV, only our own. */
export const exportMarks: Readonly<Record<ExportFormat, RegExp>> = {
  edl: /^\uFEFF?\s*TITLE:/,
  otio: /"OTIO_SCHEMA"/,
  fcpxml: /<fcpxml\b/,
  csv: /^\uFEFF?path,query,score,/,
}

/**
 * Clips, one after the other on one timeline, for an editing program.
 *
 * @param title of the timeline
 * @throws UsageError if there is none
 */
export const exportClips = (format: ExportFormat, title: string, clips: readonly Clip[]): string => {
  if (clips.length === 0) {
    throw new UsageError('Expected moments to export, got none', {
      remedy: 'Search for something else, or with --threshold',
    })
  }
  return writers[format](title, clips)
}

/** The number of the file's frame that is shown at a time. */
const frameIn = ({ startSeconds = 0, rate }: Clip, seconds: number): number => frameAt(seconds - startSeconds, rate)

/** First frame of the stretch within the file, and its length in frames: at least one. */
const framesOf = (clip: Clip): { start: number; length: number } => {
  const start = frameIn(clip, clip.from)
  return { start, length: Math.max(1, frameIn(clip, clip.to) - start) }
}

const dropsFrames = ({ rate, dropFrame = canDropFrames(rate) }: Clip): boolean => dropFrame

const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()

/**
 * CMX 3600. Events have the reel name AX, as editors link them by `FROM CLIP NAME`; the timeline runs at the first clip's
 * rate, and each source time code at its own.
 */
const edl = (title: string, clips: readonly Clip[]): string => {
  const { rate } = clips[0]!
  const dropFrame = dropsFrames(clips[0]!)
  const lines = [`TITLE: ${oneLine(title)}`, `FCM: ${dropFrame ? 'DROP FRAME' : 'NON-DROP FRAME'}`, '']
  let at = dropFrame ? hourOne(rate) : nominalRate(rate) * 3600
  for (const [i, clip] of clips.entries()) {
    const { start, length } = framesOf(clip)
    const onTimeline = Math.max(1, frameAt(length / (clip.rate.over / clip.rate.under), rate))
    const source = [clip.startFrame + start, clip.startFrame + start + length].map((frame) =>
      timecode(frame, clip.rate, dropsFrames(clip)),
    )
    const record = [at, at + onTimeline].map((frame) => timecode(frame, rate, dropFrame))
    const peak = Math.min(onTimeline - 1, frameAt(Math.max(0, clip.t - clip.from), rate))
    lines.push(`${String(i + 1).padStart(3, '0')}  AX       V     C        ${[...source, ...record].join(' ')}`)
    lines.push(`* FROM CLIP NAME: ${oneLine(basename(clip.path))}`, `* SOURCE FILE: ${oneLine(clip.path)}`)
    lines.push(`* LOC: ${timecode(at + peak, rate, dropFrame)} YELLOW  ${oneLine(clip.name)}`, '')
    at += onTimeline
  }
  return lines.join('\n')
}

/** Timelines begin at one hour by custom. Drop-frame counting leaves 108 numbers out of each hour at 29.97. */
const hourOne = (rate: FrameRate): number => nominalRate(rate) * 3600 - (nominalRate(rate) / 15) * 54

/** OpenTimelineIO's JSON: https://opentimelineio.readthedocs.io/en/stable/tutorials/otio-serialized-schema.html */
const otio = (title: string, clips: readonly Clip[]): string => {
  const time = (value: number, rate: FrameRate) => ({
    OTIO_SCHEMA: 'RationalTime.1',
    rate: rate.over / rate.under,
    value,
  })
  const range = (start: number, length: number, rate: FrameRate) => ({
    OTIO_SCHEMA: 'TimeRange.1',
    start_time: time(start, rate),
    duration: time(length, rate),
  })
  const children = clips.map((clip) => {
    const { rate, startFrame, path, name, score, t } = clip
    const { start, length } = framesOf(clip)
    return {
      OTIO_SCHEMA: 'Clip.2',
      name: basename(path),
      source_range: range(startFrame + start, length, rate),
      active_media_reference_key: 'DEFAULT_MEDIA',
      media_references: {
        DEFAULT_MEDIA: {
          OTIO_SCHEMA: 'ExternalReference.1',
          target_url: pathToFileURL(path).href,
          available_range: range(startFrame, Math.max(1, frameIn(clip, clip.endSeconds)), rate),
          metadata: {},
        },
      },
      markers: [
        {
          OTIO_SCHEMA: 'Marker.2',
          name,
          color: 'YELLOW',
          marked_range: range(startFrame + frameIn(clip, t), 1, rate),
          metadata: {},
        },
      ],
      effects: [],
      metadata: { vidgrep: { query: name, score: score ?? null, t } },
    }
  })
  const track = {
    OTIO_SCHEMA: 'Track.1',
    name: 'Video',
    kind: 'Video',
    children,
    metadata: {},
    effects: [],
    markers: [],
  }
  const stack = { OTIO_SCHEMA: 'Stack.1', name: 'tracks', children: [track], metadata: {}, effects: [], markers: [] }
  return `${JSON.stringify({ OTIO_SCHEMA: 'Timeline.1', name: title, tracks: stack, metadata: {} }, null, 2)}\n`
}

/** Final Cut Pro's XML, version 1.10: times are fractions of a second on whole frames. */
const fcpxml = (title: string, clips: readonly Clip[]): string => {
  const formats = distinct(clips, ({ rate, width, height }) => `${rate.over}/${rate.under} ${width}x${height}`)
  const assets = distinct(clips, ({ path }) => path)
  const time = (frames: number, { over, under }: FrameRate): string =>
    frames === 0 ? '0s' : `${frames * under}/${over}s`
  const formatLines = [...formats].map(
    ([
      ,
      {
        clip: { rate, width, height },
        number,
      },
    ]) => `<format id="f${number}" frameDuration="${time(1, rate)}" width="${width}" height="${height}"/>`,
  )
  const formatOf = ({ rate, width, height }: Clip): string =>
    `f${formats.get(`${rate.over}/${rate.under} ${width}x${height}`)!.number}`
  const assetLines = [...assets].map(([path, { clip, number }]) => {
    const length = Math.max(1, frameIn(clip, clip.endSeconds))
    return [
      `<asset id="a${number}" name="${xml(basename(path))}" start="${time(clip.startFrame, clip.rate)}" duration="${time(length, clip.rate)}" hasVideo="1" format="${formatOf(clip)}">`,
      `<media-rep kind="original-media" src="${xml(pathToFileURL(path).href)}"/>`,
      '</asset>',
    ].join('')
  })
  const { rate } = clips[0]!
  let at = 0
  const spine = clips.map((clip) => {
    const { start, length } = framesOf(clip)
    const onTimeline = Math.max(1, frameAt(length / (clip.rate.over / clip.rate.under), rate))
    const marker = `<marker start="${time(clip.startFrame + frameIn(clip, clip.t), clip.rate)}" duration="${time(1, clip.rate)}" value="${xml(clip.name)}"/>`
    const line = `<asset-clip ref="a${assets.get(clip.path)!.number}" name="${xml(basename(clip.path))}" offset="${time(at, rate)}" start="${time(clip.startFrame + start, clip.rate)}" duration="${time(onTimeline, rate)}">${marker}</asset-clip>`
    at += onTimeline
    return line
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE fcpxml>',
    '<fcpxml version="1.10">',
    `<resources>${[...formatLines, ...assetLines].join('')}</resources>`,
    `<library><event name="vidgrep"><project name="${xml(title)}"><sequence format="${formatOf(clips[0]!)}" duration="${time(at, rate)}" tcStart="0s" tcFormat="${dropsFrames(clips[0]!) ? 'DF' : 'NDF'}"><spine>`,
    ...spine,
    '</spine></sequence></project></event></library>',
    '</fcpxml>',
    '',
  ].join('\n')
}

const distinct = (clips: readonly Clip[], keyOf: (clip: Clip) => string) => {
  const found = new Map<string, { readonly clip: Clip; readonly number: number }>()
  for (const clip of clips) if (!found.has(keyOf(clip))) found.set(keyOf(clip), { clip, number: found.size + 1 })
  return found
}

/** Control characters are no XML at all, not even escaped. */
const xml = (text: string): string =>
  oneLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** RFC 4180. */
const csv = (_title: string, clips: readonly Clip[]): string => {
  const rows = clips.map((clip) => {
    const { start, length } = framesOf(clip)
    const codes = [start, start + length].map((frame) =>
      timecode(clip.startFrame + frame, clip.rate, dropsFrames(clip)),
    )
    return [
      clip.path,
      clip.name,
      clip.score?.toFixed(2) ?? '',
      clip.t.toFixed(3),
      clip.from.toFixed(3),
      clip.to.toFixed(3),
      ...codes,
    ]
  })
  const head = ['path', 'query', 'score', 't', 'from', 'to', 'timecode in', 'timecode out']
  return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')
}

/** What a spreadsheet would take for a formula is made text. */
const csvCell = (text: string): string => {
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const writers: Readonly<Record<ExportFormat, (title: string, clips: readonly Clip[]) => string>> = {
  edl,
  otio,
  fcpxml,
  csv,
}
