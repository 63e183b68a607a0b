import type { IngestTotals, VideoResult } from './events.ts'

export const noTotals: IngestTotals = {
  videos: 0,
  complete: 0,
  partial: 0,
  failed: 0,
  skipped: 0,
  otherShards: 0,
  frames: 0,
  points: 0,
  encoded: 0,
  unchanged: 0,
  seconds: 0,
  encoderBusy: null,
  device: null,
}

/** Of two runs, one after the other. */
export const sumOf = (a: IngestTotals, b: IngestTotals): IngestTotals => ({
  videos: a.videos + b.videos,
  complete: a.complete + b.complete,
  partial: a.partial + b.partial,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  otherShards: a.otherShards + b.otherShards,
  frames: a.frames + b.frames,
  points: a.points + b.points,
  encoded: a.encoded + b.encoded,
  unchanged: a.unchanged + b.unchanged,
  seconds: a.seconds + b.seconds,
  encoderBusy: weighed(a, b),
  device: b.device ?? a.device,
})

/** By the patches that each encoded. */
const weighed = (a: IngestTotals, b: IngestTotals): number | null => {
  if (a.encoderBusy === null || b.encoderBusy === null) return a.encoderBusy ?? b.encoderBusy
  return (a.encoderBusy * a.encoded + b.encoderBusy * b.encoded) / (a.encoded + b.encoded)
}

/** Of the files of one run; `passedOver` are those that are no videos, or another shard's. */
export const totalsOf = (
  results: readonly VideoResult[],
  passedOver: Pick<IngestTotals, 'skipped' | 'otherShards'>,
): Omit<IngestTotals, 'seconds' | 'encoderBusy' | 'device'> => {
  const withStatus = (status: string) => results.filter((result) => result.status === status).length
  // Copies share the frames and points of one video.
  const videos = [...new Map(results.map((result) => [result.video ?? result.path, result])).values()]
  const sum = (field: 'frames' | 'points') => videos.reduce((total, result) => total + result[field], 0)
  return {
    videos: results.length,
    complete: withStatus('complete'),
    partial: withStatus('partial'),
    failed: withStatus('failed'),
    ...passedOver,
    frames: sum('frames'),
    points: sum('points'),
    encoded: results.reduce((total, { encoded }) => total + encoded, 0),
    unchanged: results.reduce((total, { unchanged }) => total + unchanged, 0),
  }
}
