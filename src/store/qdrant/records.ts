import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { v5 as uuidv5 } from 'uuid'
import type { CallOptions, RecordChange, VideoRecord } from '../store.ts'
import { type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { metaId, recordsCollection } from './collections.ts'
import { scroll } from './points.ts'

/** Namespace of the ids of records; made once at random, never to change. */
const namespace = '8a4be2cc-9d0f-4a51-b3f7-51f0a6f5d9b4'

/** Records a page of reading them all; a record is some hundred bytes, more with many copies of a file. */
const pageSize = 512

/** How long a change that lost against another one stays back at most, so that they do not meet again. */
const longestPauseMs = 50

const recordId = (video: string): string => uuidv5(video, namespace)

/** A record as it is kept: every write gives it another `revision`, so that a write can be bound to what was read. */
type Kept = VideoRecord & { readonly revision?: string }

/**
 * Reads, changes, and writes on condition that nobody wrote in between; whether that held shows when it is read again.
 * The condition is Qdrant's since 1.17; of older servers the last writer wins.
 */
export const changeRecord = async (
  qdrant: Qdrant,
  name: string,
  video: string,
  change: RecordChange,
  options: CallOptions,
): Promise<VideoRecord | undefined> => {
  for (;;) {
    const found = await readKept(qdrant, name, video, options)
    const record = change(found && recordFrom(found))
    if (!record) return undefined
    const revision = randomUUID()
    await writeRecord(qdrant, name, { ...record, revision }, onlyOver(found), options)
    if ((await readKept(qdrant, name, video, options))?.revision === revision) return record
    await pause(Math.random() * longestPauseMs, undefined, { signal: options.signal })
  }
}

const onlyOver = (found: Kept | undefined): Condition => {
  if (!found) return { update_mode: 'insert_only' }
  const key = 'revision'
  const same = found.revision === undefined ? { is_empty: { key } } : { key, match: { value: found.revision } }
  return { update_mode: 'update_only', update_filter: { must: [same] } }
}

type Condition = Pick<Schemas['PointsList'], 'update_mode' | 'update_filter'>

const writeRecord = async (
  qdrant: Qdrant,
  name: string,
  record: Kept,
  condition: Condition,
  { signal }: CallOptions,
): Promise<void> => {
  const request = {
    collection_name: recordsCollection(name),
    wait: true,
    // All replicas take the writes in one order, and so come to the same decision.
    ordering: 'strong' as const,
    ...condition,
    points: [{ id: recordId(record.video), vector: {}, payload: { ...record } }],
  }
  await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
}

export const readRecord = async (
  qdrant: Qdrant,
  name: string,
  video: string,
  options: CallOptions,
): Promise<VideoRecord | undefined> => {
  const kept = await readKept(qdrant, name, video, options)
  return kept && recordFrom(kept)
}

const readKept = async (
  qdrant: Qdrant,
  name: string,
  video: string,
  { signal }: CallOptions,
): Promise<Kept | undefined> => {
  const request = { collection_name: recordsCollection(name), ids: [recordId(video)], with_payload: true }
  const [point] = await qdrant.ask((api, init) => api.getPoints(request, init), { signal })
  return point?.payload as Kept | undefined
}

const recordFrom = ({ revision: _, ...record }: Kept): VideoRecord => record

/** By `video`. */
export const readRecords = async (
  qdrant: Qdrant,
  name: string,
  { videos, signal }: CallOptions & { readonly videos?: readonly string[] },
): Promise<readonly VideoRecord[]> => {
  const filter: Schemas['Filter'] = videos
    ? { must: [{ has_id: videos.map(recordId) }] }
    : { must_not: [{ has_id: [metaId] }] }
  const records: VideoRecord[] = []
  const request = { filter, limit: pageSize, with_payload: true }
  for await (const { payload } of scroll(qdrant, recordsCollection(name), request, { signal })) {
    records.push(recordFrom(payload as unknown as Kept))
  }
  return records.sort((a, b) => (a.video < b.video ? -1 : 1))
}

export const deleteRecord = async (
  qdrant: Qdrant,
  name: string,
  video: string,
  { signal }: CallOptions,
): Promise<void> => {
  const request = { collection_name: recordsCollection(name), wait: true, points: [recordId(video)] }
  await qdrant.ask((api, init) => api.deletePoints(request, init), { signal, timeoutSeconds: writeSeconds })
}
