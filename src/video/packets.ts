import { FfmpegError } from './ffmpeg.ts'
import { ffprobe } from './ffprobe.ts'
import type { StreamInfo } from './probe.ts'

/** A piece of a stream as ffprobe shows it, in the order of the file. */
export type Packet = {
  readonly stream_index?: number
  readonly pts_time?: string
  readonly duration_time?: string
  readonly flags?: string
}

/** Packets of a span "from%to" in seconds; those that cannot be read are not there. */
export const packets = async (
  stream: StreamInfo,
  span: string,
  signal: AbortSignal | undefined,
): Promise<readonly Packet[]> => {
  const options = ['-read_intervals', span, '-show_entries', 'packet=stream_index,pts_time,duration_time,flags']
  try {
    return (await ffprobe<{ packets?: readonly Packet[] }>(stream.path, options, { signal })).packets ?? []
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof FfmpegError) throw error
    return []
  }
}
