import { type ClockStep, fromStart } from './clock.ts'
import type { StreamInfo } from './probe.ts'

/** How many errors ffmpeg complained of, and the first one's words. */
export type LoggedErrors = { readonly count: number; readonly first: string | undefined }

/** Presentation time of a frame as ffmpeg counts: `pts` ticks of `num / den` seconds each. */
export type Ticks = { readonly pts: number; readonly num: number; readonly den: number }

/** What the log tells of a frame: its time, `undefined` where it has none, and whether it stands by itself. */
export type FrameNote = { readonly time: Ticks | undefined; readonly isKey: boolean }

/** @param clockStartSeconds the time from which on to count */
export const secondsOf = ({ pts, num, den }: Ticks, { clockStartSeconds }: StreamInfo): number =>
  fromStart((pts * num) / den, clockStartSeconds)

/** Reads what ffmpeg says with `-loglevel repeat+level+info`, line by line. */
export type Log = {
  read(line: string): void
  /** What the log says of the n-th raw picture (from 0); waits for it. `undefined` if the log leaves it out. */
  noteOf(n: number): Promise<FrameNote | undefined>
  close(): void
  /** Errors before the first frame was handed out. */
  readonly earlyErrors: LoggedErrors
  /** Errors after that. */
  readonly errors: LoggedErrors
  readonly hardware: HardwareNote
  /** Steps and holes in the stream's clock, as the filter graph prints them. */
  readonly steps: readonly ClockStep[]
}

/** What ffmpeg says of decoding in hardware, with `-loglevel verbose`. */
export type HardwareNote = {
  /** Pixel format of what comes out of the decoder: another than the file's own if hardware did it. */
  readonly decodedAs: string | undefined
  /** The first thing that the hardware's driver complained of. */
  readonly complaint: string | undefined
}

const noErrors: LoggedErrors = { count: 0, first: undefined }

/** Newer versions name the parts that a component belongs to before it: the last name is the component's own. */
const lineStart = /^(?:\[(?:dec:)?([^\]]+?) @ [^\]]+\] )*\[(\w+)\] (.*)$/
const frameLine = /^n: *(\d+) pts: *(-?\d+|NOPTS) /
const sourceLine = /pixfmt: *(\w+)/
const printedTime = /^-?\d+\.\d{6}$/
const timeBaseLine = /^config in time_base: (\d+)\/(\d+)/

/** A line's parts: the component that speaks ("h264", "mov,mp4,…"), how bad it is ("error", "warning"), its words. */
export type LogLine = { readonly context: string; readonly level: string; readonly text: string }

/** What a line complains about: the picture, or the hardware that was to decode it. */
export type Complaint = 'damage' | 'hardware' | undefined

export const readLog = (complaintOf: (line: LogLine) => Complaint): Log => {
  const notes = new Map<number, FrameNote>()
  const counted = { earlyErrors: noErrors, errors: noErrors }
  const printed: number[] = []
  let hardware: string | undefined
  let noted = 0
  let timeBase: readonly [number, number] | undefined
  let isClosed = false
  let decodedAs: string | undefined
  let wake = () => {}

  const readFrame = (text: string): void => {
    const base = text.match(timeBaseLine)
    if (base) timeBase = [Number(base[1]), Number(base[2])]
    const frame = text.match(frameLine)
    if (!frame || !timeBase) return
    noted = Number(frame[1]) + 1
    const pts = Number(frame[2])
    const time = Number.isNaN(pts) ? undefined : { pts, num: timeBase[0], den: timeBase[1] }
    notes.set(noted - 1, { time, isKey: text.includes(' iskey:1 ') })
    wake()
  }

  return {
    get earlyErrors() {
      return counted.earlyErrors
    },
    get errors() {
      return counted.errors
    },
    get steps() {
      return Array.from({ length: printed.length >> 1 }, (_, i) => ({
        fromSeconds: printed[2 * i]!,
        toSeconds: printed[2 * i + 1]!,
      }))
    },
    get hardware() {
      return { decodedAs, complaint: hardware }
    },
    read: (line) => {
      const [, context = '', level = '', text = ''] = line.match(lineStart) ?? []
      if (level === 'info' && context.startsWith('Parsed_showinfo')) readFrame(text)
      if (level === 'verbose' && context.startsWith('graph')) decodedAs ??= text.match(sourceLine)?.[1]
      if (level === 'info' && printedTime.test(text)) printed.push(Number(text))
      const complaint = complaintOf({ context, level, text })
      if (complaint === 'hardware') hardware ??= text.replace(/\.$/, '')
      if (complaint !== 'damage') return
      const kind = noted === 0 ? 'earlyErrors' : 'errors'
      counted[kind] = { count: counted[kind].count + 1, first: counted[kind].first ?? text.replace(/\.$/, '') }
    },
    noteOf: async (n) => {
      while (noted <= n && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const note = notes.get(n)
      notes.delete(n)
      return note
    },
    close: () => {
      isClosed = true
      wake()
    },
  }
}
