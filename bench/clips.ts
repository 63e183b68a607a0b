import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { findFiles } from '../src/files/find.ts'
import { probe } from '../src/video/probe.ts'

/** Words, and the one file that they describe. */
export type Query = { readonly text: string; readonly file: string }

export type Clips = {
  readonly folder: string
  /** Absolute. */
  readonly files: readonly string[]
  /** All files together, in seconds. */
  readonly videoSeconds: number
  /** Empty without an index.tsv. */
  readonly queries: readonly Query[]
}

export const carriedClips = new URL('../test/clips', import.meta.url).pathname

/** The videos of a folder, and the queries of its index.tsv: a column `file`, one that begins with `queries`, split by `;`. */
export const clipsIn = async (folder: string): Promise<Clips> => {
  const { paths } = await findFiles([resolve(folder)])
  const there = new Set(paths.map((path) => basename(path)))
  const queries = await queriesOf(join(folder, 'index.tsv'))
  return {
    folder,
    files: paths,
    videoSeconds: await secondsOf(paths),
    queries: queries.filter(({ file }) => there.has(file)),
  }
}

/** Seconds of video in the files. */
export const secondsOf = async (files: readonly string[]): Promise<number> => {
  const videos = await Promise.all(files.map((file) => probe(file)))
  return videos.reduce((sum, { durationSeconds }) => sum + (durationSeconds ?? 0), 0)
}

const queriesOf = async (path: string): Promise<readonly Query[]> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  const [header = '', ...rows] = text.trim().split('\n')
  const column = header.split('\t').findIndex((name) => name.startsWith('queries'))
  if (column < 0) return []
  return rows.flatMap((row) => {
    const cells = row.split('\t')
    // Some say in brackets at which seconds; which file it is matters here.
    const texts = cells[column]!.split(';').map((words) => words.replace(/\([\d–-]+\)/, '').trim())
    return texts.map((words) => ({ file: cells[0]!, text: words }))
  })
}
