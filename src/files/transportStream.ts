import { extname } from 'node:path'
import { openRegular } from './regular.ts'

/** Endings that MPEG transport streams share with TypeScript. */
const sharedExtensions: ReadonlySet<string> = new Set(['.ts', '.mts'])

/** A transport stream is made of packets that each begin with this byte (ISO/IEC 13818-1, 2.4.3.2). */
const syncByte = 0x47

/** Bytes of a packet: plain, with a time code in front (Blu-ray and AVCHD, the byte then is the fifth), with parity. */
const packetBytes = [188, 192, 204]

/** How far a recording may begin within a packet, and how many packets in a row are convincing. */
const lookedAtBytes = 204 * 5
const convincing = 4

/** Whether a file in a folder only looks like a video by its ending. A file that cannot be read is for others to judge. */
export const isOtherKindOfTs = async (path: string): Promise<boolean> => {
  if (!sharedExtensions.has(extname(path).toLowerCase())) return false
  try {
    const file = await openRegular(path)
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(lookedAtBytes), position: 0 })
      return !hasPackets(buffer.subarray(0, bytesRead))
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
}

const hasPackets = (bytes: Uint8Array): boolean =>
  packetBytes.some((length) =>
    Array.from({ length }, (_, start) => start).some((start) =>
      Array.from({ length: convincing }, (_, i) => bytes[start + i * length]).every((byte) => byte === syncByte),
    ),
  )
