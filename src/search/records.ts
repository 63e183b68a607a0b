import type { CallOptions, Store, VideoRecord } from '../store/store.ts'

/** How long records count as known where the store cannot tell whether they are, in milliseconds. */
const recordsKeptMs = 10_000

type Kept = {
  readonly version: number | undefined
  readonly untilMs: number
  readonly records: Promise<readonly VideoRecord[]>
}

const kept = new WeakMap<object, Kept>()

/**
 * The records of a store as they are now, or at most ten seconds old where the store cannot tell whether there are newer
 * ones: a server that is asked every second need not read them every time.
 */
export const recentRecords = async (
  store: Pick<Store, 'records' | 'recordsVersion'>,
  { signal }: CallOptions,
): Promise<readonly VideoRecord[]> => {
  signal?.throwIfAborted()
  const version = await store.recordsVersion?.()
  const known = kept.get(store)
  if (known && known.version === version && (version !== undefined || performance.now() < known.untilMs)) {
    return known.records
  }
  // Without the signal: others wait for the same, and one that is broken off must not fail them.
  const records = store.records()
  kept.set(store, { version, untilMs: performance.now() + recordsKeptMs, records })
  // What failed, or had nothing to tell yet, is asked again.
  records.then(
    (all) => version !== undefined || all.some(({ profile }) => profile) || kept.delete(store),
    () => kept.delete(store),
  )
  return records
}

/** Works something out once for the records that a server keeps for some seconds: there may be fifty thousand. */
export const once = <Made>(
  make: (records: readonly VideoRecord[]) => Made,
): ((records: readonly VideoRecord[]) => Made) => {
  const made = new WeakMap<readonly VideoRecord[], { readonly value: Made }>()
  return (records) => {
    const known = made.get(records) ?? { value: make(records) }
    made.set(records, known)
    return known.value
  }
}

export const recordsByVideo = once((records) => new Map(records.map((record) => [record.video, record])))
