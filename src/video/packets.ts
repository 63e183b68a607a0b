import { FfmpegError } from './ffmpeg.ts'
import { ffprobe } from './ffprobe.ts'
import { fromStart, type StreamInfo } from './probe.ts'

/** A piece of one of a file's streams, in the order of the file. */
export type Packet = {
  readonly streamIndex: number
  /** When it is shown, in seconds from the start of the file; `NaN` where the file does not say. */
  readonly seconds: number
  /** How long it is shown. */
  readonly durationSeconds: number
  readonly isKey: boolean
  /** It is decoded for the sake of others, and not shown. */
  readonly isDiscarded: boolean
}

/** Where to begin and end in seconds from the start of the file. Default: at its start, at its end. */
export type Span = { readonly fromSeconds?: number; readonly toSeconds?: number }

/** Packets of a span; those that cannot be read are not there. */
export const packets = async (
  stream: StreamInfo,
  { fromSeconds, toSeconds }: Span,
  signal: AbortSignal | undefined,
): Promise<readonly Packet[]> => {
  const onClock = (seconds: number | undefined): string =>
    seconds === undefined ? '' : (seconds + stream.clockStartSeconds).toFixed(6)
  const options = [
    ...stream.lookOptions,
    ...['-read_intervals', `${onClock(fromSeconds)}%${onClock(toSeconds)}`],
    ...['-show_entries', 'packet=stream_index,pts_time,duration_time,flags'],
  ]
  try {
    const { packets = [] } = await ffprobe<{ packets?: readonly Listed[] }>(stream.path, options, { signal })
    return packets.map(({ stream_index = -1, pts_time, duration_time = 0, flags = '' }) => ({
      streamIndex: stream_index,
      seconds: fromStart(Number(pts_time), stream.clockStartSeconds),
      durationSeconds: Number(duration_time),
      isKey: flags.includes('K'),
      isDiscarded: flags.includes('D'),
    }))
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof FfmpegError) throw error
    return []
  }
}

/** As ffprobe lists it. */
type Listed = {
  readonly stream_index?: number
  readonly pts_time?: string
  readonly duration_time?: string
  readonly flags?: string
}
