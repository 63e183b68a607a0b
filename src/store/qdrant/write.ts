import type { CallOptions, Point } from '../store.ts'
import { type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { tooLarge } from './failures.ts'
import { batchesOf, mostPoints } from './points.ts'

/** Requests in flight while writing many points; each holds at most 16 MiB here. */
const defaultStreams = 3

export type WriteOptions = CallOptions & {
  /** Requests in flight, at least 1. */
  readonly streams?: number
  /** Points a request, at least 1. */
  readonly batchSize?: number
}

/** Writes points and waits until the server has applied them. Of a point that is there twice the last one counts. */
export const writePoints = async (
  qdrant: Qdrant,
  name: string,
  points: readonly Point[],
  { signal, streams = defaultStreams, batchSize = mostPoints }: WriteOptions,
): Promise<void> => {
  signal?.throwIfAborted()
  // Requests overtake each other, so no id may be in two of them.
  const batches = batchesOf(new Map(points.map((point) => [point.id, point])).values(), batchSize)
  // All streams draw from one generator; leaving a loop by an error ends it, and with it the others after their batch.
  const stream = async () => {
    for (const batch of batches) await send(qdrant, name, batch, { signal })
  }
  const ends = await Promise.allSettled(Array.from({ length: streams }, stream))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Sends a batch and waits until it is applied; in halves where a proxy takes less at once than the server. */
const send = async (
  qdrant: Qdrant,
  name: string,
  points: Schemas['PointStruct'][],
  { signal }: CallOptions,
): Promise<void> => {
  try {
    const request = { collection_name: name, wait: true, points }
    await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
  } catch (error) {
    if (points.length === 1 || (error as { code?: string }).code !== tooLarge) throw error
    const half = Math.ceil(points.length / 2)
    await send(qdrant, name, points.slice(0, half), { signal })
    await send(qdrant, name, points.slice(half), { signal })
  }
}
