import { Readable } from 'node:stream'
import { UsageError } from '../errors.ts'
import { asOnDisk } from '../files/paths.ts'
import { streamInfo } from './probe.ts'
import { encodeOptions, picturePackets, type Stretch, transcode, withinVideo } from './transcode.ts'
import { damaged } from './video.ts'

export type PreviewOptions = Stretch & {
  /** At most; smaller videos keep their size. @default 1280 */
  readonly widthPixels?: number
  /** Ends ffmpeg and the stream. So does destroying the stream. */
  readonly signal?: AbortSignal
}

/** Seconds of video after which a piece is handed out at the latest. */
const fragmentSeconds = 1

/**
 * A stretch of a video as every browser plays it: H.264 and AAC in fragmented MP4, handed out while it is made. Times in it
 * count from its beginning.
 *
 * @returns bytes, once the first ones are there: what goes wrong before that is thrown here
 * @throws UsageError if there is nothing of the video in the stretch
 * @throws UnreadableFileError, NotAVideoError as `probe`
 * @throws DamagedVideoError if that part of the video cannot be decoded
 */
export const preview = async (path: string, options: PreviewOptions): Promise<Readable> => {
  const { widthPixels = 1280, signal } = options
  if (!(Number.isInteger(widthPixels) && widthPixels >= 2)) {
    throw new UsageError(`Expected a width of 2 pixels or more, got ${widthPixels}`, {
      remedy: 'Use, for example, 640',
    })
  }
  const stream = await streamInfo(await asOnDisk(path), undefined, { signal })
  const stretch = withinVideo(stream, options)
  const near = await picturePackets(stream, stretch.fromSeconds, signal)
  const width = Math.min(widthPixels, stream.width)
  // One track of sound is what a browser plays.
  const heard = { ...stream, sound: stream.sound.slice(0, 1) }
  const encoding = { ...stretch, widthPixels: width, quality: 26, preset: 'veryfast', soundKbps: 128 } as const
  const { options: encode } = await encodeOptions(heard, near, encoding)
  const output = [
    // Frames out of order would begin later than the sound: such a stream has no place to say by how much.
    ...['-bf', '0'],
    ...['-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', `${fragmentSeconds * 1e6}`],
    ...['-force_key_frames', `expr:gte(t,n_forced*${fragmentSeconds})`, '-f', 'mp4', 'pipe:1'],
  ]
  const pieces = transcode(stream, [...encode, ...output], signal)
  const first = await pieces.next()
  if (first.done) throw damaged(stream, 'no frame could be decoded', undefined)
  return Readable.from(following(first.value, pieces), { objectMode: false })
}

/** A stream of pieces, the first of which was taken already. Ended unread, it ends what makes them. */
const following = (first: Buffer, rest: AsyncGenerator<Buffer, void>): AsyncIterable<Buffer> => {
  let next: Promise<IteratorResult<Buffer, void>> | undefined = Promise.resolve({ value: first })
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const piece = next ?? rest.next()
        next = undefined
        return piece
      },
      return: () => rest.return(),
    }),
  }
}
