import type { Model } from '../models/model.ts'
import { findCopies, sameFrameOf } from '../search/copies.ts'
import type { CallOptions, Store } from '../store/store.ts'

/** Looks what the videos that were indexed since the last time share with others, and notes it in their records. */
export const noteCopies = async (
  store: Store,
  model: Pick<Model, 'sameFrame'>,
  { signal }: CallOptions,
): Promise<void> => {
  const known = new Map((await store.records({ signal })).map((record) => [record.video, record]))
  for (const record of [...known.values()]) {
    const { video, status, indexedAt, flat } = record
    if (status === 'failed' || flat === undefined || record.copies !== undefined) continue
    const copies = await findCopies(store, record, known, { sameFrame: sameFrameOf(model), signal })
    known.set(video, { ...record, copies })
    await store.changeRecord(video, (now) => (now?.indexedAt === indexedAt ? { ...now, copies } : undefined), {
      signal,
    })
  }
}
