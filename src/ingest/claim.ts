import { randomUUID } from 'node:crypto'
import { mergedFiles } from '../files/files.ts'
import type { Store, VideoRecord } from '../store/store.ts'
import type { Catalogue } from './catalogue.ts'
import { type Job, type Outcome, recordOf, unfinished } from './job.ts'
import { covers, isFiner } from './sampling.ts'

/*
 * Several processes may index, remove and prune the same video at once. Its record therefore names the run that writes
 * its points. Whoever starts anew or removes changes the record first and the points afterwards; whoever writes points
 * looks at the record before and afterwards; and a run calls a video complete in one step with finding itself still
 * named. Runs with the same settings write the same points, and share one id; one that is to reach a finer level of detail
 * takes over from one that is not, and keeps its points.
 */

export type Claims = {
  /**
   * Makes the video this run's. What was stored with the same settings is kept, by an unfinished run or with less detail;
   * anything else goes. An unfinished run that was to reach more detail is gone on with.
   * @param isEnough whether a record leaves nothing to do
   * @returns the record if it leaves nothing to do
   */
  claim(job: Job, isEnough: (record: VideoRecord) => boolean, force: boolean): Promise<VideoRecord | undefined>
  /** Whether points may be written for the job; if not, the job is lost. */
  holds(job: Job): Promise<boolean>
  /** After points were written for a job that was just lost: nobody may call the video complete with them. */
  disown(job: Job): Promise<void>
  /** Writes what became of the video, as far as it is true. */
  finish(job: Job, outcome: Outcome): Promise<Finished>
}

export type Finished = {
  readonly outcome: Outcome
  /** Points that are stored. */
  readonly points: number
}

const removed: Outcome = { status: 'failed', reason: 'it was removed from the collection while it was indexed' }
const taken: Outcome = {
  status: 'partial',
  reason: 'another process began to index it with other settings, in more detail, or anew; run it again',
}
const disturbed: Outcome = {
  status: 'partial',
  reason: 'its points were changed while it was indexed; run it again',
  next: 'anew',
}

/** @param tools versions of what decodes: a damaged video is tried again with others */
export const openClaims = (store: Store, catalogue: Catalogue, tools: string): Claims => {
  /** Takes back what the record says of points that changed under it. @returns whether it did */
  const takeBack = async (job: Job, isConcerned: (record: VideoRecord) => boolean): Promise<boolean> => {
    let isTakenBack = false
    await catalogue.update(job.video, (now) => {
      isTakenBack = now !== undefined && isConcerned(now)
      const { status, reason } = disturbed
      return now && isTakenBack ? { ...now, status, reason, settings: '', run: randomUUID() } : undefined
    })
    return isTakenBack
  }
  const goOn = async (job: Job, shown: string | undefined): Promise<void> => {
    job.stored = await store.pointIds(job.video)
    const { path } = job.files[0]
    if (shown !== path && job.stored.size > 0) await store.setPath(job.video, path)
  }
  const finish: Claims['finish'] = async (job, outcome) => {
    const points = await store.countPoints(job.video)
    const isTrue = outcome.next !== undefined || points === job.known + job.encoded
    const mine = isTrue ? outcome : disturbed
    const isAnew = mine.next === 'anew'
    let said = removed
    let shown: string | undefined
    await catalogue.update(job.video, (now) => {
      said = removed
      if (!now || isBeingRemoved(now)) return undefined
      said = isFinishedLike(now, job) ? { status: now.status, reason: now.reason } : taken
      if (now.run !== job.run) return undefined
      said = mine
      // The first file is there since the claim, or was removed since.
      const files = mergedFiles(now.files, job.files.slice(1))
      shown = files[0]?.path
      return recordOf(job, mine, { files, points: isAnew ? 0 : points, tools })
    })
    if (said === mine && isAnew) {
      await store.deletePoints(job.video)
      return { outcome: said, points: 0 }
    }
    if (said === mine && shown !== undefined && shown !== job.files[0].path) await store.setPath(job.video, shown)
    // Another run with the same settings was faster: what it said has to be true still.
    const isUntrue = (now: VideoRecord) => isFinishedLike(now, job) && now.points !== points
    const isTakenBack = said !== mine && (await takeBack(job, isUntrue))
    return { outcome: isTakenBack ? disturbed : said, points }
  }

  return {
    finish,
    claim: async (job, isEnough, force) => {
      const fresh = randomUUID()
      const wanted = job.detail
      let enough: VideoRecord | undefined
      let keeps = false
      let shown: string | undefined
      await catalogue.update(job.video, (now) => {
        enough = now && !force && isEnough(now) ? now : undefined
        if (enough) return undefined
        // Called again on its own record, it has decided already.
        if (now?.run !== fresh) {
          keeps = !force && now?.settings === job.settings && (now.run !== undefined || catalogue.isFinished(now, now))
          job.detail = keeps && isFiner(now!, { detail: wanted }) ? now!.detail : wanted
          job.run = keeps && now?.run !== undefined && now.detail === job.detail ? now.run : fresh
          shown = now?.files[0]?.path
        }
        return recordOf(job, unfinished, { files: mergedFiles(job.files, now?.files ?? []), points: 0 })
      })
      if (enough) return enough
      // Without a record as well: a process that was killed may have left some.
      if (keeps) await goOn(job, shown)
      else await store.deletePoints(job.video)
      return undefined
    },

    holds: async (job) => {
      if (job.isLost) return false
      const now = await store.record(job.video)
      job.isLost = !now || (now.run !== job.run && !isFinishedLike(now, job))
      return !job.isLost
    },

    disown: async (job) => {
      const now = await store.record(job.video)
      if (!now || isBeingRemoved(now)) await store.deletePoints(job.video)
      await takeBack(job, (record) => !covers(record, job) && !isBeingRemoved(record))
    },
  }
}

/** Another run has finished with the same settings, and so with the same points, or with more. */
const isFinishedLike = (record: VideoRecord, job: Job): boolean => record.run === undefined && covers(record, job)

/** What a store leaves of a record whose video it is removing. */
const isBeingRemoved = ({ run, settings }: VideoRecord): boolean => run === undefined && settings === ''
