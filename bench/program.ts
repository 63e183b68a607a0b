import { type ProcessRun, runProcess } from './process.ts'

/** The program as it was built. */
export const builtProgram = new URL('../dist/cli/main.js', import.meta.url).pathname

/** What its first line, in src/cli/main.ts, starts it with. */
const twoHeaps = { MALLOC_ARENA_MAX: '2' }

/**
 * Runs `vidgrep` with these words to its end and measures it.
 *
 * @param home folder for the program's own data and cache
 * @param program another build of it
 * @throws Error as {@link runProcess}
 */
export const runVidgrep = (words: readonly string[], home: string, program = builtProgram): Promise<ProcessRun> =>
  runProcess(process.execPath, [program, ...words], { ...twoHeaps, VIDGREP_HOME: home })
