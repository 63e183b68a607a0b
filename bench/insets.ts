import { execFile } from 'node:child_process'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

/** A clip in which another one is shown small. */
export type Inset = { readonly path: string; readonly background: string; readonly inset: string }

const run = promisify(execFile)
const [width, height] = [1280, 720]
/** Frames a second: no more are looked at. */
const rate = 2
const background = `fps=${rate},scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,setsar=1`

/**
 * Shows each clip in another one, at 1/2 to 1/3.5 of the width and at a random place, from the beginning of both; the same
 * clips make the same videos.
 *
 * @param seconds length of the videos at most
 */
export const makeInsets = async (
  files: readonly string[],
  folder: string,
  seconds: number,
): Promise<readonly Inset[]> => {
  const random = randomNumbers()
  const insets: Inset[] = []
  // Neighbours in a folder may be of one kind.
  const shift = Math.max(1, Math.floor(files.length / 3))
  for (const [i, file] of files.entries()) {
    const other = files[(i + shift) % files.length]!
    const path = join(folder, `inset-${i}.mp4`)
    const part = 1 / (2 + 1.5 * random())
    const [x, y] = [random(), random()].map((at) => at.toFixed(4))
    const small = `fps=${rate},scale=${2 * Math.round((part * width) / 2)}:${Math.round(height / 2)}:force_original_aspect_ratio=decrease,setsar=1`
    const graph = `[0:v:0]${background}[b];[1:v:0]${small}[s];[b][s]overlay=x=(W-w)*${x}:y=(H-h)*${y}:shortest=1,format=yuv420p[v]`
    const inputs = ['-i', file, '-stream_loop', '-1', '-i', other]
    const output = ['-map', '[v]', '-t', `${seconds}`, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18', path]
    await run('ffmpeg', ['-v', 'error', '-y', ...inputs, '-filter_complex', graph, ...output])
    insets.push({ path, background: basename(file), inset: basename(other) })
  }
  return insets
}

/** From 0 to 1, the same ones every time. */
const randomNumbers = (): (() => number) => {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
