import { execFile } from 'node:child_process'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { probe } from '../src/video/probe.ts'

/** A clip's place in a long video, in seconds. */
export type Part = { readonly file: string; readonly from: number; readonly to: number }

export type Joined = { readonly path: string; readonly parts: readonly Part[] }

const run = promisify(execFile)
const [width, height, rate] = [640, 360, 12]
/** Every clip in one shape, nothing of it cut off. */
const shape = `fps=${rate},scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,setsar=1,format=yuv420p`

/** Joins clips one after the other into some long videos, in turn; the same clips make the same videos. */
export const joinClips = async (
  files: readonly string[],
  folder: string,
  videos: number,
): Promise<readonly Joined[]> => {
  const groups = Array.from({ length: videos }, (_, i) => files.filter((_, at) => at % videos === i))
  const joined: Joined[] = []
  for (const [i, group] of groups.filter(({ length }) => length > 0).entries()) {
    const path = join(folder, `joined-${i}.mp4`)
    const shaped = group.map((_, at) => `[${at}:v:0]${shape}[v${at}]`).join(';')
    const graph = `${shaped};${group.map((_, at) => `[v${at}]`).join('')}concat=n=${group.length}[v]`
    const inputs = group.flatMap((file) => ['-i', file])
    const output = ['-map', '[v]', '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', path]
    await run('ffmpeg', ['-v', 'error', '-y', ...inputs, '-filter_complex', graph, ...output])
    let from = 0
    const parts: Part[] = []
    for (const file of group) {
      const to = from + ((await probe(file)).durationSeconds ?? 0)
      parts.push({ file: basename(file), from, to })
      from = to
    }
    joined.push({ path, parts })
  }
  return joined
}
