import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Moment, SearchResult } from '../index.ts'
import { contactSheet, drawMoment, pictureName } from '../render/pictures.ts'
import { frame } from '../video/still.ts'
import type { Picture } from '../video/video.ts'
import { type ExitCode, exitCodes, print, warn } from './run.ts'

/** Writes what a search found as pictures. A file that is gone or damaged leaves a gap and an exit code. */
export const writePictures = async (
  { moments, query }: SearchResult,
  { pictures, sheet, json }: { readonly pictures?: string; readonly sheet?: string; readonly json: boolean },
  signal: AbortSignal,
): Promise<ExitCode> => {
  const shown: { moment: Moment; picture: Picture }[] = []
  for (const moment of moments) {
    try {
      shown.push({ moment, picture: await frame(moment.path, moment.t, { signal }) })
    } catch (error) {
      signal.throwIfAborted()
      warn(`No picture of ${moment.path}: ${(error as Error).message}`)
    }
  }
  const tell = json ? warn : print
  if (pictures !== undefined) {
    await mkdir(pictures, { recursive: true })
    for (const { moment, picture } of shown) {
      await writeFile(join(pictures, pictureName(moment)), await drawMoment(picture, moment))
    }
    tell(`${shown.length} pictures in ${pictures}`)
  }
  if (sheet !== undefined) {
    await writeFile(sheet, await contactSheet(query, shown))
    tell(`Contact sheet: ${sheet}`)
  }
  return shown.length === moments.length ? exitCodes.done : exitCodes.someFailed
}
