import { execFile } from 'node:child_process'
import { basename, join as joinPath } from 'node:path'
import { promisify } from 'node:util'
import { probe } from '../src/video/probe.ts'

/** A clip's place in a long video, in seconds. */
export type Part = { readonly file: string; readonly from: number; readonly to: number }

export type Joined = { readonly path: string; readonly parts: readonly Part[] }

const run = promisify(execFile)
const [width, height, rate] = [640, 360, 12]
/** Every clip in one shape, nothing of it cut off. */
const shape = `fps=${rate},scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,setsar=1,format=yuv420p`

/** How one clip follows another: a cut, a cross-fade, or a fade to black and back. */
export type Join = 'cut' | 'fade' | 'black'

/** Seconds of a fade; as long to black as back from it. */
const fadeSeconds = 0.5

/**
 * Joins clips one after the other into some long videos, in turn; the same clips make the same videos. A part begins and
 * ends in the middle of a fade.
 */
export const joinClips = async (
  files: readonly string[],
  folder: string,
  videos: number,
  join: Join = 'cut',
): Promise<readonly Joined[]> => {
  const groups = Array.from({ length: videos }, (_, i) => files.filter((_, at) => at % videos === i))
  const joined: Joined[] = []
  for (const [i, group] of groups.filter(({ length }) => length > 0).entries()) {
    const path = joinPath(folder, `joined-${i}.mp4`)
    const seconds = await Promise.all(group.map(async (file) => (await probe(file)).durationSeconds ?? 0))
    const inputs = group.flatMap((file) => ['-i', file])
    const output = ['-map', '[v]', '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', path]
    await run('ffmpeg', ['-v', 'error', '-y', ...inputs, '-filter_complex', graphOf(seconds, join), ...output])
    const overlap = join === 'fade' ? fadeSeconds : 0
    let from = 0
    const parts = group.map((file, at) => {
      const to = from + seconds[at]! - (at === 0 || at === group.length - 1 ? overlap / 2 : overlap)
      const part: Part = { file: basename(file), from, to }
      from = to
      return part
    })
    joined.push({ path, parts })
  }
  return joined
}

/** @param seconds how long each clip is */
const graphOf = (seconds: readonly number[], join: Join): string => {
  const fades = (at: number): string => {
    const [isFirst, isLast] = [at === 0, at === seconds.length - 1]
    const out = Math.max(0, seconds[at]! - fadeSeconds)
    return `${isFirst ? '' : `,fade=t=in:d=${fadeSeconds}`}${isLast ? '' : `,fade=t=out:st=${out}:d=${fadeSeconds}`}`
  }
  const shaped = seconds.map((_, at) => `[${at}:v:0]${shape}${join === 'black' ? fades(at) : ''},settb=AVTB[v${at}]`)
  if (join !== 'fade' || seconds.length === 1) {
    return `${shaped.join(';')};${seconds.map((_, at) => `[v${at}]`).join('')}concat=n=${seconds.length}[v]`
  }
  let offset = 0
  const crossed = seconds.slice(1).map((_, at) => {
    offset += seconds[at]! - fadeSeconds
    const [before, after] = [at === 0 ? '[v0]' : `[x${at}]`, at === seconds.length - 2 ? '[v]' : `[x${at + 1}]`]
    return `${before}[v${at + 1}]xfade=duration=${fadeSeconds}:offset=${offset.toFixed(3)}${after}`
  })
  return [...shaped, ...crossed].join(';')
}
