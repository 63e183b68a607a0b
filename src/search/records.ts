import type { CallOptions, Store, VideoRecord } from '../store/store.ts'

/** How long records count as known in a store that cannot tell, and in a collection of so many videos, in milliseconds. */
const recordsKeptMs = 10_000
/** Reading so many records takes a third of a second, and while videos are indexed there are new ones all the time. */
const manyRecords = 2000

type Kept = {
  readonly version: number | undefined
  /** By the process's clock. */
  untilMs: number
  readonly records: Promise<readonly VideoRecord[]>
}

const kept = new WeakMap<object, Kept>()

/**
 * The records of a store as they are now; at most ten seconds old where the store cannot tell whether there are newer ones,
 * or they are many: a server that is asked every second need not read them every time.
 */
export const recentRecords = async (
  store: Pick<Store, 'records' | 'recordsVersion'>,
  { signal }: CallOptions,
): Promise<readonly VideoRecord[]> => {
  signal?.throwIfAborted()
  const version = await store.recordsVersion?.()
  const known = kept.get(store)
  const isSame = version !== undefined && known?.version === version
  if (known && (isSame || performance.now() < known.untilMs)) return known.records
  // Without the signal: others wait for the same, and one that is broken off must not fail them.
  const records = store.records()
  const mine: Kept = { version, untilMs: version === undefined ? performance.now() + recordsKeptMs : 0, records }
  kept.set(store, mine)
  records.then(
    (all) => {
      if (all.length >= manyRecords) mine.untilMs = performance.now() + recordsKeptMs
      // What had nothing to tell yet is asked again.
      else if (!all.some(({ profile }) => profile)) mine.untilMs = 0
    },
    () => kept.delete(store),
  )
  return records
}

/** Works something out once for records that are kept: there may be fifty thousand. */
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
