/** How many errors ffmpeg complained of, and the first one's words. */
export type LoggedErrors = { readonly count: number; readonly first: string | undefined }

/** Presentation time of a frame as ffmpeg counts: `pts` ticks of `num / den` seconds each. */
export type Ticks = { readonly pts: number; readonly num: number; readonly den: number }

export const secondsOf = ({ pts, num, den }: Ticks): number => (pts * num) / den

/** Reads what ffmpeg says with `-loglevel repeat+level+info`, line by line. */
export type Log = {
  read(line: string): void
  /**
   * Time of the n-th raw picture (from 0): waits until it is told. `undefined` for a picture without a time.
   *
   * @throws if the log ended, or went on to a later picture, without it
   */
  timeOf(n: number): Promise<Ticks | undefined>
  close(): void
  /** Errors before the first frame was handed out. */
  readonly earlyErrors: LoggedErrors
  /** Errors after that. */
  readonly errors: LoggedErrors
}

const noErrors: LoggedErrors = { count: 0, first: undefined }

const lineStart = /^(?:\[([^\]]+?) @ [^\]]+\] )?\[(\w+)\] (.*)$/
const frameLine = /^n: *(\d+) pts: *(-?\d+|NOPTS) /
const timeBaseLine = /^config in time_base: (\d+)\/(\d+)/

/** @param isConcerned whether an error of this component ("h264", "mov,mp4,…") concerns the picture */
export const readLog = (isConcerned: (context: string) => boolean): Log => {
  const times = new Map<number, Ticks | undefined>()
  const counted = { earlyErrors: noErrors, errors: noErrors }
  let told = 0
  let timeBase: readonly [number, number] | undefined
  let isClosed = false
  let wake = () => {}

  const readFrame = (text: string): void => {
    const base = text.match(timeBaseLine)
    if (base) timeBase = [Number(base[1]), Number(base[2])]
    const frame = text.match(frameLine)
    if (!frame || !timeBase) return
    told = Number(frame[1]) + 1
    const pts = Number(frame[2])
    times.set(told - 1, Number.isNaN(pts) ? undefined : { pts, num: timeBase[0], den: timeBase[1] })
    wake()
  }

  return {
    get earlyErrors() {
      return counted.earlyErrors
    },
    get errors() {
      return counted.errors
    },
    read: (line) => {
      const [, context = '', level = '', text = ''] = line.match(lineStart) ?? []
      if (level === 'info' && context.startsWith('Parsed_showinfo')) readFrame(text)
      if (!['error', 'fatal', 'panic'].includes(level) || !isConcerned(context)) return
      const kind = told === 0 ? 'earlyErrors' : 'errors'
      counted[kind] = { count: counted[kind].count + 1, first: counted[kind].first ?? text.replace(/\.$/, '') }
    },
    timeOf: async (n) => {
      while (told <= n && !isClosed)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      if (!times.has(n)) throw new Error(`ffmpeg gave picture ${n} without a line about its time`)
      const time = times.get(n)
      times.delete(n)
      return time
    },
    close: () => {
      isClosed = true
      wake()
    },
  }
}
