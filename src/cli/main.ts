#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node
// glibc gives each thread a heap of its own and gives little of them back: left to itself an ingest grows by 300 MB with
// every 100,000 points, with two heaps by 120 (https://man7.org/linux/man-pages/man3/mallopt.3.html). Large blocks kept
// out of them as well would save a third of that, and cost each scan of 100,000 points 130 ms (docs/scale.md).
import { existsSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'
import { folders, startEncoderEarly } from '../index.ts'

// From version 22.1 on Node can keep the compiled code of what is imported after this: a search takes a tenth less. Not in a
// folder that is yet to be made: where that fails in an odd way, as below /proc, Node tries for ever.
const { enableCompileCache } = module as typeof module & { enableCompileCache?: (folder: string) => unknown }
try {
  const { cache } = folders()
  if (existsSync(cache)) enableCompileCache?.(join(cache, 'compiled'))
} catch {
  // There is no place for it: the command says so if it needs one.
}

// These wait longest for their encoder, which loads on another core while this one reads what was asked for. So the
// parser is imported afterwards.
const waiting = ['search', 'doctor']
const [, , command = '', ...words] = process.argv
if (waiting.includes(command) && !words.includes('--help')) void startEncoderEarly()
const { runProgram } = await import('./program.ts')
await runProgram(process.argv)
