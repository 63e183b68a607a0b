/**
 * A process of its own that writes three times in its turn, busy as one that decodes: `tsx lock-holder.ts FOLDER`. Says
 * each time whether it was alone.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writerIn } from '../../src/store/embedded/writer.ts'

const [folder = ''] = process.argv.slice(2)
const inTurn = writerIn(folder)
const busyMs = 25
const decoding = setInterval(() => {
  for (const sinceMs = performance.now(); performance.now() - sinceMs < busyMs; );
}, 2 * busyMs)

for (let turn = 0; turn < 3; turn++) {
  await inTurn(async () => {
    const marker = join(folder, 'inside')
    const handle = await open(marker, 'wx').catch(() => undefined)
    process.stdout.write(handle ? 'alone\n' : 'not alone\n')
    await pause(20)
    await handle?.close()
    await rm(marker, { force: true })
  })
}
clearInterval(decoding)
