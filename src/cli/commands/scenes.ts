import { basename } from 'node:path'
import { checkOutputs, exportMoments, formatSpan, type Scenes, writePictures } from '../../index.ts'
import { defineCommand, jsonOption, storeOptions, withVideos } from '../options.ts'
import { exitCodes, print, printJson, warn } from '../run.ts'

export const scenesCommand = defineCommand({
  command: 'scenes <video>',
  describe: 'List the scenes of a video: where what it shows changes',
  options: {
    sheet: { type: 'string', requiresArg: true, describe: 'File for one JPEG with a picture of each scene' },
    pictures: { type: 'string', requiresArg: true, describe: 'Folder for a picture of each scene' },
    export: {
      type: 'string',
      requiresArg: true,
      describe: 'File for the scenes as clips: .edl, .otio, .fcpxml or .csv',
    },
    ...storeOptions,
    ...jsonOption,
  },
  builder: (yargs) =>
    yargs
      .positional('video', {
        type: 'string',
        demandOption: true,
        describe: 'Path of an indexed video, or the end of it',
      })
      .example('$0 scenes holiday.mp4 --sheet scenes.jpg', 'at a glance')
      .example('$0 scenes holiday.mp4 --export scenes.edl', 'for an editing program'),
  run: async ({ video, json, sheet, pictures, export: exported, ...args }, { signal }) => {
    const wantsPictures = sheet !== undefined || pictures !== undefined
    if (wantsPictures || exported !== undefined) await checkOutputs({ sheet, pictures, export: exported })
    const found = await withVideos(args, (videos) => videos.scenes(video, { signal }))
    if (json) printJson(toJson(found))
    else printScenes(found)
    const shown = {
      query: `Scenes of ${basename(found.path)}`,
      moments: found.scenes.map((scene) => momentOf(found, scene)),
    }
    const say = json ? warn : print
    let someFailed = false
    if (wantsPictures) {
      const { written, missing } = await writePictures(shown, { pictures, sheet, signal, of: 'scene' })
      for (const { moment, reason } of missing) warn(`No picture of scene ${moment.rank}: ${reason}`)
      if (pictures !== undefined) say(`${written} ${written === 1 ? 'picture' : 'pictures'} in ${pictures}`)
      if (sheet !== undefined) say(`Contact sheet: ${sheet}`)
      someFailed = missing.length > 0
    }
    if (exported !== undefined) {
      const { written, missing } = await exportMoments(shown, exported, { signal })
      for (const { moment, reason } of missing) warn(`Not exported, scene ${moment.rank}: ${reason}`)
      if (written > 0) say(`${written} ${written === 1 ? 'scene' : 'scenes'} in ${exported}`)
      someFailed ||= missing.length > 0
    }
    return someFailed ? exitCodes.someFailed : exitCodes.done
  },
})

const toJson = ({ durationSeconds, ...found }: Scenes) => ({ ...found, duration: durationSeconds ?? null })

const printScenes = ({ path, scenes }: Scenes): void => {
  print(path)
  const width = String(scenes.length).length
  for (const scene of scenes) print(`${String(scene.number).padStart(width)}  ${formatSpan(scene)}`)
}

const wholeFrame = [0, 0, 1, 1] as const

const momentOf = ({ path }: Scenes, { number, ...times }: Scenes['scenes'][number]) => ({
  ...times,
  path,
  rank: number,
  name: `Scene ${number}`,
  box: wholeFrame,
})
