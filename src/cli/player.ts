import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** A player and how it is told to begin at a time in seconds. */
type Player = {
  /** Names on the PATH, or whole paths. */
  readonly programs: readonly string[]
  readonly words: (path: string, fromSeconds: number) => readonly string[]
}

/** The one that starts most exactly first. */
const players: readonly Player[] = [
  {
    programs: ['mpv', '/Applications/mpv.app/Contents/MacOS/mpv'],
    words: (path, fromSeconds) => [`--start=${fromSeconds}`, '--', path],
  },
  {
    programs: ['vlc', '/Applications/VLC.app/Contents/MacOS/VLC', 'C:\\Program Files\\VideoLAN\\VLC\\vlc.exe'],
    words: (path, fromSeconds) => [`--start-time=${fromSeconds}`, path],
  },
  { programs: ['ffplay'], words: (path, fromSeconds) => ['-loglevel', 'error', '-ss', `${fromSeconds}`, '-i', path] },
]

export type Opened = {
  /** The program and its words; where none was found, those of the first. */
  readonly command: readonly [string, ...string[]]
  /** Whether it was started. */
  readonly started: boolean
}

/** Opens a video at a time in seconds in the first player that is found: mpv, VLC or ffplay. It goes on by itself. */
export const play = async (path: string, fromSeconds: number): Promise<Opened> => {
  const from = Number(fromSeconds.toFixed(3))
  for (const { programs, words } of players) {
    for (const program of programs) {
      const file = await findProgram(program)
      if (file === undefined) continue
      const child = spawn(file, words(path, from), { detached: true, stdio: 'ignore' })
      const started = await once(child, 'spawn').then(
        () => true,
        () => false,
      )
      child.unref()
      if (started) return { command: [file, ...words(path, from)], started }
    }
  }
  const [{ programs, words }] = players as [Player]
  return { command: [programs[0]!, ...words(path, from)], started: false }
}

const findProgram = async (program: string): Promise<string | undefined> => {
  const isPath = program.includes('/') || program.includes('\\')
  const folders = isPath ? [''] : (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const endings = process.platform === 'win32' && !isPath ? ['.exe', '.com'] : ['']
  for (const file of folders.flatMap((folder) => endings.map((ending) => join(folder, program + ending)))) {
    const canRun = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (canRun) return file
  }
  return undefined
}
