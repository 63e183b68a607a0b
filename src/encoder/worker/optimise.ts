import { imageWays } from './imageTower.ts'
import type { Open, OpenPrepared, Optimised, OptimiseOrder } from './prepared.ts'
import { textWays } from './textTower.ts'

/* A process of its own: writes one optimised graph, says what the graph gave in its trial, and ends. */

const optimise = async ({ tower, settings, preparedFolder }: OptimiseOrder): Promise<Optimised> => {
  const giveFor = async <Run>(file: string, { open, trial }: { open: Open<Run>; trial: OpenPrepared<Run>['trial'] }) =>
    trial((await open(file, settings)).run)
  try {
    const { data } = await ('image' in tower
      ? giveFor(tower.image.file, imageWays(tower.image))
      : giveFor(tower.text.file, textWays(tower.text, preparedFolder)))
    return { data: [...data] }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

// Whoever started it ends it: a Ctrl-C reaches both.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(1))
process.once('message', async (order: OptimiseOrder) => {
  process.send!(await optimise(order), () => process.exit(0))
})
