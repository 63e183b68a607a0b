import type { Clips } from './clips.ts'
import type { Contender, Run } from './contenders.ts'
import { interleaved, median } from './measure.ts'
import { recallOf } from './recall.ts'
import type { Row } from './report.ts'

/**
 * Lets the contenders look through the same videos in turn and makes a row of each; the first is what the others are
 * compared with, pair by pair. With queries, each row has its recall.
 *
 * @param footage its files are looked through by each
 */
export const race = async (
  contenders: readonly Contender[],
  footage: Omit<Clips, 'folder'>,
  rounds: number,
): Promise<readonly Row[]> => {
  const { files, videoSeconds, queries } = footage
  const runs = await interleaved(contenders, rounds, (contender) => contender.index(files))
  const rows: Row[] = []
  for (const [i, contender] of contenders.entries()) {
    const recall = queries.length > 0 && recallOf(queries, await contender.orders(files, queries))
    rows.push({
      way: contender.name,
      ...speed(runs[i]!, runs[0]!, videoSeconds, contenders[0]!.name),
      ...(recall && { recallAt1: recall.recallAt1, recallAt5: recall.recallAt5 }),
    })
  }
  return rows
}

const speed = (runs: readonly Run[], first: readonly Run[], videoSeconds: number, firstName: string): Row => {
  const rates = runs.map(({ seconds }) => videoSeconds / seconds)
  const { frames, patches, encoderBusy, peakMB } = middle(runs)
  return {
    videoSecondsASecond: median(rates),
    slowest: Math.min(...rates),
    fastest: Math.max(...rates),
    [`times ${firstName}`]: median(runs.map(({ seconds }, round) => first[round]!.seconds / seconds)),
    frames,
    patches,
    patchesASecond: patches === null ? null : patches / median(runs.map(({ seconds }) => seconds)),
    encoderBusy,
    peakMB,
  }
}

/** Of each figure the median over the runs. */
const middle = (runs: readonly Run[]) => {
  const of = (figure: 'frames' | 'patches' | 'encoderBusy' | 'peakMB') => {
    const known = runs.map((run) => run[figure]).filter((value) => value !== null)
    return known.length > 0 ? median(known) : null
  }
  return { frames: of('frames'), patches: of('patches'), encoderBusy: of('encoderBusy'), peakMB: of('peakMB') }
}
