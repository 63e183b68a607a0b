import type { ChildProcess } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { type DecodeRequest, spawnFfmpeg } from './command.ts'
import { FfmpegError, findTool } from './ffmpeg.ts'
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

/** Bytes that may lie between ffmpeg and us: a look-ahead of less than one picture. */
const lookAheadBytes = 256 * 1024

/** @throws FfmpegError if ffmpeg cannot be started */
export const openDecoder = async (request: DecodeRequest): Promise<Decoder> => {
  const { signal, views } = request
  const tool = await findTool('ffmpeg')
  signal?.throwIfAborted()
  const log = readLog((line) => complaintOf(request, line))
  // Without 'close' events, because fluent-ffmpeg takes one for a reason to kill an ffmpeg that is about to end well.
  const output = new PassThrough({ highWaterMark: lookAheadBytes, autoDestroy: false, emitClose: false })
  output.on('error', () => {})
  const child = await spawnFfmpeg(request, tool, log, output)
  const ended = endOf(child, log, output)

  const kill = (): void => {
    child.kill('SIGKILL')
    child.stdout?.destroy()
    output.destroy(signal?.aborted ? signal.reason : undefined)
  }
  signal?.addEventListener('abort', kill, { once: true })
  if (signal?.aborted) kill()

  return {
    frames: () => readFrames(output, log, packingOf(views).bytes, signal),
    outcome: async () => {
      const { code, signalName, error } = await ended
      if (error) throw new FfmpegError(`Expected ${tool.path} to start, got: ${error.message}`, { cause: error })
      const { earlyErrors, errors, hardware } = log
      return { earlyErrors, errors, exitCode: code, signalName, hardware }
    },
    stop: async () => {
      signal?.removeEventListener('abort', kill)
      kill()
      await ended
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

type End = { readonly code: number | null; readonly signalName: NodeJS.Signals | null; readonly error?: Error }

const endOf = (child: ChildProcess, log: Log, output: PassThrough): Promise<End> =>
  new Promise((resolve) => {
    const end = (result: End): void => {
      log.close()
      resolve(result)
    }
    child.once('error', (error) => {
      output.destroy(error)
      end({ code: null, signalName: null, error })
    })
    child.once('close', (code, signalName) => end({ code, signalName }))
  })

async function* readFrames(
  output: PassThrough,
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
