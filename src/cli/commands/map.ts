import { checkOutputs, formatTimestamp, mapDefaults, writeMap } from '../../index.ts'
import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { filterOptions, searchOptions } from '../query.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

const { after: _after, before: _before, ...videoOptions } = filterOptions

export const mapCommand = defineCommand({
  command: 'map',
  describe: 'Show what the videos hold on one picture: what looks alike lies close together',
  options: {
    output: { alias: 'o', type: 'string', requiresArg: true, describe: 'Picture to write: .png, .jpg, .webp …' },
    n: { type: 'number', default: mapDefaults.n, requiresArg: true, describe: 'Frames on the map, at most' },
    seed: {
      type: 'number',
      default: mapDefaults.seed,
      requiresArg: true,
      describe: 'Another number gives another map of the same frames',
    },
    ...videoOptions,
    ...storeOptions,
    ...jsonOption,
  },
  builder: (yargs) =>
    yargs
      .example('$0 map -o map.png', 'the whole collection at a glance')
      .example('$0 map --path "2024/**" --json', 'where each frame lies, for programs'),
  run: async ({ output, n, seed, json, ...args }, context) => {
    const { signal } = context
    if (output !== undefined) await checkOutputs({ frame: output })
    const options = { ...searchOptions(args, context), n, seed }
    const map = await withVideos(args, (videos) => videos.map(options))
    if (json) printJson(map)
    else if (output === undefined) {
      for (const { x, y, t, path } of map.points) {
        print(`${x.toFixed(3)}  ${y.toFixed(3)}  ${formatTimestamp(t)}  ${path}`)
      }
    }
    if (map.points.length === 0) warn('No video matches these filters.')
    if (output === undefined || map.points.length === 0) return exitCodes.done
    const { written, missing } = await writeMap(output, map, { signal })
    for (const { moment, reason } of missing) warn(`No picture of ${moment.path}: ${reason}`)
    if (written > 0 && !json) print(`${written} ${written === 1 ? 'frame' : 'frames'} in ${output}`)
    return missing.length > 0 ? exitCodes.someFailed : exitCodes.done
  },
})
