import { type CopyGroup, formatSpan, formatTimestamp } from '../../index.ts'
import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

export const copiesCommand = defineCommand({
  command: 'copies',
  describe: 'List videos that show the same: copies, exports, shortened and re-encoded ones',
  options: { ...storeOptions, ...jsonOption },
  builder: (yargs) => yargs.example('$0 copies --json', 'for programs'),
  run: async ({ json, ...args }, { signal }) => {
    const groups = await withVideos(args, (videos) => videos.copies({ signal }))
    if (json) printJson(groups.map(toJson))
    else if (groups.length === 0) warn('No video shows what another one shows.')
    else for (const [i, group] of groups.entries()) printGroup(group, i)
    return exitCodes.done
  },
})

const toJson = ({ videos, shared }: CopyGroup) => ({
  videos: videos.map(({ durationSeconds, ...video }) => ({ ...video, duration: durationSeconds ?? null })),
  shared,
})

const printGroup = ({ videos, shared }: CopyGroup, i: number): void => {
  if (i > 0) print()
  const number = (video: string): number => videos.findIndex((each) => each.video === video) + 1
  for (const [at, { path, video, durationSeconds }] of videos.entries()) {
    const same = number(video) <= at ? `  (the same file as ${number(video)})` : ''
    print(`${at + 1}  ${formatTimestamp(durationSeconds ?? 0)}  ${path}${same}`)
  }
  const duration = new Map(videos.map(({ video, durationSeconds }) => [video, durationSeconds ?? 0]))
  for (const { video, from, to, other, offsetSeconds } of shared) {
    const shorter = Math.min(duration.get(video)!, duration.get(other)!)
    // What is the same from start to end needs no words.
    if (Math.abs(offsetSeconds) <= edgeSeconds && to - from >= shorter - 2 * edgeSeconds) continue
    const there = formatSpan({ from: from + offsetSeconds, to: to + offsetSeconds })
    print(`   ${formatSpan({ from, to })} of ${number(video)} is ${there} of ${number(other)}`)
  }
}

/** How exactly sampled frames show where a stretch begins and ends. */
const edgeSeconds = 1
