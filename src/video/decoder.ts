import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type DecodeRequest, decodeArguments } from './command.ts'
import { FfmpegError, findTool, toolEnvironment } from './ffmpeg.ts'
import { packingOf } from './graph.ts'
import {
  type Complaint,
  type FrameNote,
  type HardwareNote,
  type Log,
  type LoggedErrors,
  type LogLine,
  readLog,
} from './log.ts'
import { startProgram } from './program.ts'

/** One raw picture that holds all views. */
export type RawFrame = FrameNote & {
  readonly packed: Uint8Array
  /** Hands the picture's memory back for a later one. */
  done(): void
}

export type Outcome = {
  readonly earlyErrors: LoggedErrors
  readonly errors: LoggedErrors
  readonly exitCode: number | null
  /** The signal that ended ffmpeg, if one did. */
  readonly signalName: NodeJS.Signals | null
  readonly hardware: HardwareNote
}

/** A running ffmpeg. Whoever opens it stops it. */
export type Decoder = {
  /** Pulled one by one: ffmpeg waits while nobody asks. Each picture has memory of its own. */
  frames(): AsyncGenerator<RawFrame>
  /** How it went, once the frames are through. */
  outcome(): Promise<Outcome>
  /** Ends ffmpeg at once and waits until it is gone. */
  stop(): Promise<void>
}

/** @throws FfmpegError if ffmpeg cannot be started */
export const openDecoder = async (request: DecodeRequest): Promise<Decoder> => {
  const { signal, views } = request
  const tool = await findTool('ffmpeg')
  signal?.throwIfAborted()
  const log = readLog((line) => complaintOf(request, line))
  const ffmpeg = await startProgram(tool.path, decodeArguments(request, tool), toolEnvironment(tool)).catch((cause) => {
    throw new FfmpegError(`Expected ${tool.path} to start, got: ${cause.message}`, { cause })
  })
  const lines = createInterface({ input: ffmpeg.stderr, crlfDelay: Number.POSITIVE_INFINITY }).on('line', log.read)
  const ended = Promise.all([ffmpeg.ended, once(lines, 'close')])
    .then(([end]) => end)
    .finally(log.close)
  // Told where it is waited for, if anybody waits.
  ended.catch(() => {})

  const kill = (): void => {
    ffmpeg.kill()
    ffmpeg.stdout.destroy()
  }
  signal?.addEventListener('abort', kill, { once: true })
  if (signal?.aborted) kill()

  return {
    frames: () => readFrames(ffmpeg.stdout, log, packingOf(views).bytes, signal),
    outcome: async () => {
      const { code, signalName } = await ended.catch((cause) => {
        throw new FfmpegError(`Expected ffmpeg to end, got: ${cause.message}`, {
          remedy: 'Run it again, with more memory free',
          cause,
        })
      })
      const { earlyErrors, errors, hardware } = log
      return { earlyErrors, errors, exitCode: code, signalName, hardware }
    },
    stop: async () => {
      signal?.removeEventListener('abort', kill)
      kill()
      await ended.catch(() => {})
    },
  }
}

/**
 * Damage is every error but those of other streams' decoders, and what is only a warning although a piece of the file is
 * missing. In a broadcast recording that is so at both ends. What a driver says of its hardware is no damage either.
 */
const complaintOf = ({ stream, hwaccel }: DecodeRequest, { context, level, text }: LogLine): Complaint => {
  if (level === 'warning') {
    const isMissing = !stream.beginsAnywhere && text.endsWith(`corrupt input packet in stream ${stream.index}`)
    return isMissing ? 'damage' : undefined
  }
  if (!['error', 'fatal', 'panic'].includes(level)) return undefined
  if (hwaccel !== undefined && (hardwareContext.test(context) || hardwareWords.test(text))) return 'hardware'
  const isOther = stream.otherCodecs.some((codec) => codec !== stream.codec && context.startsWith(codec))
  return isOther ? undefined : 'damage'
}

const hardwareContext = /^(AVHW|CUDA|VAAPI|VDPAU|QSV|MFX|D3D|DXVA|VideoToolbox|Vulkan|OpenCL|DRM)/i
const hardwareWords = /device|hwaccel|hw ?frames|Failed setup for format/i

async function* readFrames(
  output: Readable,
  log: Log,
  bytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<RawFrame> {
  const memory = createMemory(bytes)
  let packed = memory.take()
  let filled = 0
  let n = 0
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < chunk.length; ) {
        const piece = chunk.subarray(offset, offset + bytes - filled)
        packed.set(piece, filled)
        filled += piece.length
        offset += piece.length
        if (filled < bytes) continue
        const full = packed
        yield { ...(await log.noteOf(n++)), packed: full, done: () => memory.giveBack(full) }
        packed = memory.take()
        filled = 0
      }
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
  signal?.throwIfAborted()
}

/** Fresh memory has to be cleared by the system page by page; what comes back is used again, as many as were in use. */
const createMemory = (bytes: number) => {
  const free: Uint8Array[] = []
  return {
    take: (): Uint8Array => free.pop() ?? new Uint8Array(bytes),
    giveBack: (packed: Uint8Array): void => void free.push(packed),
  }
}
