import type { Point, Store } from '../store/store.ts'
import type { Catalogue } from './catalogue.ts'
import type { Claims, Finished } from './claim.ts'
import type { Embedded, Reached } from './encode.ts'
import type { IngestEvent } from './events.ts'
import { type Job, type Outcome, resultsOf } from './job.ts'
import type { Profiles } from './profile.ts'

/** Points that are written together, and how long a point may wait for its fellows: what a crash can cost. */
const pointsPerWrite = 256
const secondsPerWrite = 5

export type WriteContext = {
  readonly store: Store
  readonly catalogue: Catalogue
  readonly claims: Claims
  readonly profiles: Profiles
}

type EndedJob = { readonly job: Job; readonly outcome: Outcome }

/**
 * Points → store; a video's record follows when all its points are durable. A write runs while the next batches are
 * encoded. If the stream breaks off, what was encoded is still written.
 */
export async function* write(embedded: AsyncIterable<Embedded>, context: WriteContext): AsyncGenerator<IngestEvent> {
  const writer = openWriter(context)
  try {
    for await (const { points, passing, reached, encoded } of embedded) {
      for (const item of passing) if (item.kind === 'started') writer.begin(item.job)
      writer.add(points)
      for (const item of passing) {
        if (item.kind === 'started') yield startedEvent(item.job)
        else if (item.kind === 'result') yield { type: 'video', result: item.result, bytes: item.bytes }
        else if (item.kind === 'software') yield { type: 'software', path: item.path, reason: item.reason }
        else writer.end({ job: item.job, outcome: item.outcome })
      }
      if (reached) yield progressEvent(reached, encoded)
      if (writer.isDue()) yield* await writer.flush()
    }
    // One starts the last write, one waits for it.
    yield* await writer.flush()
    yield* await writer.flush()
  } finally {
    // After an error, or when the caller has had enough, there may be something left.
    await writer.rescue()
  }
}

const startedEvent = ({ files: [file] }: Job): IngestEvent => ({ type: 'started', path: file.path, bytes: file.bytes })

const progressEvent = ({ job, atSeconds }: Reached, encoded: number): IngestEvent => ({
  type: 'progress',
  path: job.files[0].path,
  atSeconds,
  frames: job.frames,
  encoded,
  ...(job.info?.durationSeconds === undefined ? {} : { durationSeconds: job.info.durationSeconds }),
})

const openWriter = (context: WriteContext) => {
  const { store, claims } = context
  const jobs = new Map<string, Job>()
  let points: Point[] = []
  let endedJobs: EndedJob[] = []
  let lastWriteMs = performance.now()
  let writing: Promise<readonly IngestEvent[]> = Promise.resolve([])

  const writePoints = async (batch: readonly Point[]): Promise<void> => {
    const concerned = [...new Set(batch.map(({ video }) => video))].map((video) => jobs.get(video)!)
    const held = new Set<Job>()
    for (const job of concerned) if (await claims.holds(job)) held.add(job)
    const ours = batch.filter(({ video }) => held.has(jobs.get(video)!))
    if (ours.length > 0) await store.upsert(ours)
    for (const job of held) if (!(await claims.holds(job))) await claims.disown(job)
  }
  const writeAll = async (batch: readonly Point[], ended: readonly EndedJob[]): Promise<readonly IngestEvent[]> => {
    await writePoints(batch)
    const events: IngestEvent[] = []
    for (const { job, outcome } of ended) {
      const said = await endJob(job, outcome, context)
      events.push(...resultsOf(job, said.outcome, said.points).map((result) => ({ type: 'video' as const, ...result })))
    }
    return events
  }

  return {
    begin: (job: Job): void => void jobs.set(job.video, job),
    add: (more: readonly Point[]): void => void points.push(...more),
    end: (job: EndedJob): void => void endedJobs.push(job),
    isDue: (): boolean =>
      points.length >= pointsPerWrite ||
      (points.length + endedJobs.length > 0 && performance.now() - lastWriteMs > secondsPerWrite * 1000),
    /** Starts the next write and gives the events of the one before. */
    flush: async (): Promise<readonly IngestEvent[]> => {
      const events = await writing
      const [batch, ended] = [points, endedJobs]
      points = []
      endedJobs = []
      lastWriteMs = performance.now()
      writing = writeAll(batch, ended)
      writing.catch(() => {})
      return events
    },
    /** After a failure: keeps what is encoded, if the store still answers. */
    rescue: async (): Promise<void> => {
      try {
        await writing
        await writePoints(points)
      } catch {
        // The error that ended the run is the one that is thrown; the next run encodes again what was not written.
      }
    },
  }
}

/** A file whose content changed gives its path to the new video, but only when there is something to take its place. */
const endJob = async (job: Job, outcome: Outcome, { claims, catalogue, profiles }: WriteContext): Promise<Finished> => {
  job.isEnding = true
  try {
    const finished = await claims.finish(job, outcome)
    if (finished.outcome.status !== 'failed')
      for (const { path } of job.files) await catalogue.takeOver(path, job.video)
    if (finished.points > 0) await profiles.add(job.video)
    job.ended.resolve()
    return finished
  } catch (error) {
    job.ended.reject(error)
    throw error
  }
}
