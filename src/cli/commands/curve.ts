import { type Curve, type CurveOptions, checkOutputs, formatSpan, type Query, writeCurve } from '../../index.ts'
import { withIndex } from '../options.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

type Wanted = { readonly query: Query; readonly video: string; readonly output?: string; readonly json: boolean }

/** `search --curve`: how well each frame of one video fits. */
export const runCurve = async (
  { query, video, output, json }: Wanted,
  args: Parameters<typeof withIndex>[0],
  options: CurveOptions,
) => {
  if (output !== undefined) await checkOutputs({ curve: output })
  const found = await withIndex(args, (index) => index.curve(query, video, options))
  if (json) printJson(toJson(found))
  else printCurve(found)
  if (output !== undefined) {
    await writeCurve(output, found)
    if (!json) print(output)
  }
  return exitCodes.done
}

const toJson = ({ durationSeconds, cutoff, background, moments, ...curve }: Curve) => ({
  ...curve,
  duration: durationSeconds ?? null,
  cutoff: cutoff ?? null,
  background: background ?? null,
  moments: moments.map(({ likelihood, ...moment }) => ({ ...moment, likelihood: likelihood ?? null })),
})

/** Eight heights from the lowest to the highest score, then the moments. */
const printCurve = ({ path, durationSeconds, points, cutoff, moments }: Curve): void => {
  const columns = points.length === 0 ? 0 : 60
  const end = Math.max(durationSeconds ?? 0, points.at(-1)?.until ?? 0)
  const best = Array.from({ length: columns }, () => Number.NEGATIVE_INFINITY)
  for (const [i, { t, score }] of points.entries()) {
    const column = (seconds: number): number =>
      Math.min(columns - 1, Math.max(0, Math.floor((seconds / end) * columns)))
    for (let at = column(i === 0 ? 0 : t); at <= column(points[i + 1]?.t ?? end); at++)
      best[at] = Math.max(best[at]!, score)
  }
  const low = Math.min(...best)
  const high = Math.max(...best)
  const bars = best.map((score) => '▁▂▃▄▅▆▇█'[Math.round((7 * (score - low)) / (high - low || 1))])
  print(path)
  if (columns > 0) print(`${bars.join('')}  ${low.toFixed(2)} to ${high.toFixed(2)}`)
  if (cutoff !== undefined) print(`likely from ${cutoff.toFixed(2)}`)
  for (const moment of moments) print(`${moment.rank}  ${moment.score.toFixed(2)}  ${formatSpan(moment)}`)
  if (columns === 0) warn('Nothing of this video is stored.')
}
