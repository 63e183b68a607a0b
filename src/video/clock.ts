import { type FileHandle, open } from 'node:fs/promises'

/** A place in an MPEG stream where a frame of the video begins (in a transport stream: its packet), with the time that stands there. */
export type ClockMark = {
  /** Bytes from the start of the file. */
  readonly position: number
  /** Presentation time in seconds of the stream's own clock. */
  readonly seconds: number
}

/** Where a video's clock is written. */
export type ClockSource = {
  readonly path: string
  /** Packet identifier in a transport stream, code of the stream in a program stream. */
  readonly id: number
  readonly isTransport: boolean
}

/** A step in the clock of a stream from one frame to the next that is shown, in seconds of that clock. */
export type ClockStep = { readonly fromSeconds: number; readonly toSeconds: number }

/** Marks that are read of a file: so many that a step of a tenth of its length stands out among them. */
const marks = 64

/** Bytes read at once; a frame of a broadcast has 50 KB. */
const pieceBytes = 64 * 1024

/** Most that is read for one mark. */
const mostBytes = 2 * 1024 * 1024

/** Most that is read of a hole. */
const mostHoleBytes = 16 * 1024 * 1024

/** First byte of each transport packet. */
const syncByte = 0x47

/** Bytes that may stand before a time in MPEG-1. */
const mostStuffingBytes = 16

/** Bytes of a stream packet's header up to the end of its presentation time. */
const headerBytes = 14 + mostStuffingBytes

/** Bytes that a piece shares with the next one, so that no header is cut in two. */
const overlapBytes = 188 + headerBytes

/** Clock times have 33 bits and begin again after 26.5 hours. */
const wrapSeconds = 2 ** 33 / 90_000

/** Steps in a clock that are out of the ordinary, in seconds. */
export type ClockLimits = {
  /** A longer step back leads to another clock. Shorter ones are frames out of order. */
  readonly backSeconds: number
  /** A longer step ahead is a hole. */
  readonly holeSeconds: number
  /** A longer step ahead leads to another clock. */
  readonly aheadSeconds: number
}

/**
 * From a second, or ten frames, on a step is worth a look. Ten seconds, or ten holes, ahead are another clock, as ffmpeg
 * takes it too; but no less than a tenth of the whole length, which stands out among the {@link marks}.
 */
export const clockLimits = (frameRate: number, durationSeconds = 0): ClockLimits => {
  const holeSeconds = Math.max(1, 10 / (frameRate || 25))
  return { backSeconds: holeSeconds, holeSeconds, aheadSeconds: Math.max(10 * holeSeconds, durationSeconds / 10) }
}

/** Looks at the video's clock in places all over an MPEG transport or program stream. */
export const readClock = async (source: ClockSource): Promise<readonly ClockMark[]> => {
  const file = await open(source.path)
  try {
    const { size } = await file.stat()
    const found: ClockMark[] = []
    for (let i = 0; i < marks; i++) {
      const from = Math.floor((size * i) / marks)
      if (from <= (found.at(-1)?.position ?? -1)) continue
      const mark = await nextMark(file, from, source)
      if (mark) found.push(mark)
    }
    return found
  } finally {
    await file.close()
  }
}

/** Whether the clock was set anew somewhere, as where recordings were joined: then its times lead nowhere. */
export const isSetAnew = (clock: readonly ClockMark[], { backSeconds, aheadSeconds }: ClockLimits): boolean =>
  clock.some(({ seconds }, i) => {
    const step = seconds - (clock[i - 1]?.seconds ?? seconds)
    const unwrapped = step < -wrapSeconds / 2 ? step + wrapSeconds : step
    return unwrapped < -backSeconds || unwrapped > aheadSeconds
  })

/**
 * Whether a piece of the file is missing or overwritten where the times take a step. Where a recording of a screen pauses,
 * or a slide is shown, one packet follows the other.
 */
export const hasLost = async (source: ClockSource, clock: readonly ClockMark[], step: ClockStep): Promise<boolean> => {
  const file = await open(source.path)
  try {
    const [from, to] = await findStep(file, source, clock, step)
    const piece = Buffer.alloc(Math.min(to - from, mostHoleBytes))
    const { bytesRead } = await file.read({ buffer: piece, position: from })
    const read = piece.subarray(0, bytesRead)
    return source.isTransport ? isBrokenTransport(read, source.id) : isBrokenProgram(read)
  } finally {
    await file.close()
  }
}

/** Where in the file the times go from the one side of a step to the other, found by halves. */
const findStep = async (
  file: FileHandle,
  source: ClockSource,
  clock: readonly ClockMark[],
  { fromSeconds, toSeconds }: ClockStep,
): Promise<readonly [from: number, to: number]> => {
  const middleSeconds = (fromSeconds + toSeconds) / 2
  const next = clock.findIndex(
    ({ seconds }, i) => i > 0 && seconds >= toSeconds && clock[i - 1]!.seconds <= fromSeconds,
  )
  const before = next < 0 ? clock.findLast(({ seconds }) => seconds <= fromSeconds) : clock[next - 1]
  let from = before?.position ?? 0
  let to = clock[next]?.position ?? (await file.stat()).size
  for (let left = from, right = to; right - left > overlapBytes; ) {
    const middle = Math.floor((left + right) / 2)
    const mark = await nextMark(file, middle, source)
    if (mark && mark.seconds < middleSeconds) {
      from = Math.max(from, mark.position)
      left = Math.max(middle, mark.position)
    } else {
      if (mark) to = Math.min(to, mark.position)
      right = middle
    }
  }
  return [from, to]
}

/** Part of a hole that belongs to no packet from which on it is none of the usual filling. */
const brokenPart = 0.25

/** Packets that are no packets, or a stream whose packets are not numbered one after the other. */
const isBrokenTransport = (bytes: Buffer, id: number): boolean => {
  const length = [188, 192, 204].find((each) => bytes[each] === syncByte) ?? 188
  let stray = 0
  let last: number | undefined
  for (let at = 0; at + 4 <= bytes.length; ) {
    if (bytes[at] !== syncByte) {
      stray += 1
      at += 1
      continue
    }
    const number = bytes[at + 3]! & 0x0f
    if ((bytes.readUInt16BE(at + 1) & 0x1fff) === id && (bytes[at + 3]! & 0x10) !== 0) {
      if (last !== undefined && number !== last && number !== ((last + 1) & 0x0f)) return true
      last = number
    }
    at += length
  }
  return stray > bytes.length * brokenPart
}

/** What belongs to no packet (ISO/IEC 13818-1, 2.5.3). */
const isBrokenProgram = (bytes: Buffer): boolean => {
  let stray = 0
  for (let at = 0; at + 14 <= bytes.length; ) {
    const code = bytes.readUIntBE(at, 3) === 1 ? bytes[at + 3]! : 0
    if (code < 0xb9) {
      stray += 1
      at += 1
    } else if (code === 0xba) {
      at += bytes[at + 4]! >> 6 === 1 ? 14 + (bytes[at + 13]! & 7) : 12
    } else {
      at += code === 0xb9 ? 4 : 6 + bytes.readUInt16BE(at + 4)
    }
  }
  return stray > bytes.length * brokenPart
}

const nextMark = async (file: FileHandle, from: number, source: ClockSource): Promise<ClockMark | undefined> => {
  const piece = Buffer.alloc(pieceBytes)
  for (let at = from; at < from + mostBytes; at += pieceBytes - overlapBytes) {
    const { bytesRead } = await file.read({ buffer: piece, position: at })
    const mark = markIn(piece.subarray(0, bytesRead), source)
    if (mark) return { ...mark, position: at + mark.position }
    if (bytesRead < pieceBytes) return undefined
  }
  return undefined
}

/** Start of a packet of an elementary stream (ISO/IEC 13818-1, 2.4.3.7); a code of the stream follows. */
const startCode = Buffer.from([0, 0, 1])

const markIn = (bytes: Buffer, { id, isTransport }: ClockSource): ClockMark | undefined => {
  for (let at = bytes.indexOf(startCode); at >= 0; at = bytes.indexOf(startCode, at + 1)) {
    if (at + headerBytes > bytes.length) return undefined
    const packet = isTransport ? packetAround(bytes, at, id) : at
    const isOurs = isTransport || bytes[at + 3] === (id & 0xff)
    const time = isOurs && packet !== undefined ? timeOfPacket(bytes, at + 6) : undefined
    if (time !== undefined) return { position: packet!, seconds: time / 90_000 }
  }
  return undefined
}

/** Where the transport packet of this stream begins whose content begins at `at` (ISO/IEC 13818-1, 2.4.3.2). */
const packetAround = (bytes: Buffer, at: number, id: number): number | undefined => {
  for (let header = at - 4; header >= Math.max(0, at - 188); header--) {
    if (bytes[header] !== syncByte || (bytes.readUInt16BE(header + 1) & 0x1fff) !== id) continue
    const hasAdaptation = (bytes[header + 3]! & 0x20) !== 0
    if (header + 4 + (hasAdaptation ? 1 + bytes[header + 4]! : 0) === at) return header
  }
  return undefined
}

/** The presentation time in what follows a packet's length, if there is one: as MPEG-2 writes it, or MPEG-1. */
const timeOfPacket = (bytes: Buffer, at: number): number | undefined => {
  if (bytes[at]! >> 6 === 2) return (bytes[at + 1]! & 0x80) !== 0 ? timeAt(bytes, at + 3) : undefined
  let from = at
  while (bytes[from] === 0xff && from < at + mostStuffingBytes) from += 1
  if (bytes[from]! >> 6 === 1) from += 2
  return [2, 3].includes(bytes[from]! >> 4) ? timeAt(bytes, from) : undefined
}

/** 33 bits in five bytes, with marker bits between. */
const timeAt = (bytes: Buffer, at: number): number =>
  ((bytes[at]! >> 1) & 7) * 2 ** 30 + (bytes.readUInt16BE(at + 1) >> 1) * 2 ** 15 + (bytes.readUInt16BE(at + 3) >> 1)

/**
 * A time of the file's clock as a player counts it, in seconds from the start of the file. Both are ticks that were
 * divided: their difference is cut to what it can be exact to.
 */
export const fromStart = (clockSeconds: number, clockStartSeconds: number): number =>
  clockStartSeconds === 0 ? clockSeconds : Math.round((clockSeconds - clockStartSeconds) * 1e9) / 1e9
