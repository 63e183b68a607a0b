import { v5 as uuidv5 } from 'uuid'
import type { CallOptions, VideoRecord } from '../store.ts'
import { type Qdrant, type Schemas, writeSeconds } from './client.ts'
import { recordsCollection } from './collections.ts'
import { metaId } from './meta.ts'
import { scroll } from './scroll.ts'

/** Namespace of the ids of records; made once at random, never to change. */
const namespace = '8a4be2cc-9d0f-4a51-b3f7-51f0a6f5d9b4'

/** Records a page of reading them all; a record is some hundred bytes, more with many copies of a file. */
const pageSize = 512

const recordId = (video: string): string => uuidv5(video, namespace)

export const putRecord = async (
  qdrant: Qdrant,
  name: string,
  record: VideoRecord,
  { signal }: CallOptions,
): Promise<void> => {
  const request = {
    collection_name: recordsCollection(name),
    wait: true,
    points: [{ id: recordId(record.video), vector: {}, payload: { ...record } }],
  }
  await qdrant.ask((api, init) => api.upsertPoints(request, init), { signal, timeoutSeconds: writeSeconds })
}

export const readRecord = async (
  qdrant: Qdrant,
  name: string,
  video: string,
  { signal }: CallOptions,
): Promise<VideoRecord | undefined> => {
  const request = { collection_name: recordsCollection(name), ids: [recordId(video)], with_payload: true }
  const [point] = await qdrant.ask((api, init) => api.getPoints(request, init), { signal })
  return point?.payload as VideoRecord | undefined
}

/** By `video`; with `paths` only those of videos that lie at one of them. */
export const readRecords = async (
  qdrant: Qdrant,
  name: string,
  { paths, signal }: CallOptions & { readonly paths?: readonly string[] },
): Promise<readonly VideoRecord[]> => {
  const filter: Schemas['Filter'] = {
    must_not: [{ has_id: [metaId] }],
    ...(paths ? { must: [{ key: 'files[].path', match: { any: [...paths] } }] } : {}),
  }
  const records: VideoRecord[] = []
  const request = { filter, limit: pageSize, with_payload: true }
  for await (const { payload } of scroll(qdrant, recordsCollection(name), request, { signal })) {
    records.push(payload as unknown as VideoRecord)
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
