import { type Box, parseTimestamp, UsageError } from '../../index.ts'
import { outputOptions, showMoments } from '../moments.ts'
import { defineCommand, openingOptions } from '../options.ts'
import { filterOptions, likeOptions, momentOptions, placeOrPicture } from '../query.ts'

export const similarCommand = defineCommand({
  command: 'similar <video> <time>',
  describe: 'Find the moments that look like what a video shows at a time',
  options: {
    box: {
      type: 'string',
      requiresArg: true,
      describe: 'Part of the frame: x,y,width,height as fractions of it, 0 to 1',
    },
    ...likeOptions,
    ...momentOptions,
    ...filterOptions,
    ...outputOptions,
    ...openingOptions,
  },
  builder: (yargs) =>
    yargs
      .positional('video', { type: 'string', demandOption: true, describe: 'File, or the fingerprint of a video' })
      .positional('time', { type: 'string', demandOption: true, describe: 'Seconds, 1:02:03.5 or 1m30s' })
      .example('$0 similar a.mp4 1:30', 'more like the frame at a minute and a half')
      .example('$0 similar a.mp4 90 --box 0.5,0,0.5,1', 'more like its right half')
      .example('$0 similar a.mp4 90 --like b.mp4@12 --unlike c.mp4@3', 'like two of them, unlike a third'),
  run: (args, context) => {
    const { video, time, box, like = [], unlike = [] } = args
    const place = { video, t: parseTimestamp(time), box: box === undefined ? undefined : parseBox(box) }
    const others = { like: like.map(placeOrPicture), unlike: unlike.map(placeOrPicture) }
    return showMoments(args, context, (index, options) => index.similar(place, { ...options, ...others }))
  },
})

/** @throws UsageError unless it is four numbers; the library checks their range */
const parseBox = (text: string): Box => {
  const [x, y, w, h, ...more] = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if ([x, y, w, h].every(Number.isFinite) && more.length === 0) return [x!, y!, w!, h!]
  throw new UsageError(`Expected a box of four fractions x,y,width,height, got "${text}"`, {
    remedy: 'Use for instance --box 0.25,0.25,0.5,0.5 for the middle',
  })
}
