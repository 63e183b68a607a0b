/**
 * The arithmetic of docs/scale.md: what so many hours of video take. Measures nothing; the constants are the figures that
 * the page names, each with where it comes from.
 *
 *   npx tsx bench/scale.ts [--hours 1000,100000] [--unchanged 0,0.51] [--starter 290] [--gpu 2000] [--copies 1]
 *     [--node-gb 48]
 */
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '1000,100000' },
    unchanged: { type: 'string', default: '0,0.51' },
    /** Patches a second, of the starter model on two cores and of ViT-B/32 on a GPU. */
    starter: { type: 'string', default: '290' },
    gpu: { type: 'string', default: '2000' },
    copies: { type: 'string', default: '1' },
    'node-gb': { type: 'string', default: '48' },
  },
})
const numbers = (text: string): readonly number[] => text.split(',').map(Number)
const [copies, nodeGB] = [Number(values.copies), Number(values['node-gb'])]

const framesAnHour = 3600
const patchesAFrame = { whole: 1, low: 3, normal: 11, high: 29, article: 18 }

/** Two cores: GFLOP/s of fp32 matrix products, and seconds that decoding a second of 720p takes. */
const gflopsASecond = 190
const decodeSeconds = 30 / 379 / 2
const gpuPatchesASecond = Number(values.gpu)
const gpuMachineCores = 16

const models = {
  starter: { dimension: 384, patchesASecond: Number(values.starter) },
  'clip-vit-b-32': { dimension: 512, patchesASecond: gflopsASecond / 8.8 },
}

/** Bytes a point, of vectors of so many numbers. */
const bytes = {
  embeddedDisk: (dimension: number) => 8 * dimension + 82,
  embeddedMemory: (dimension: number) => 4 * dimension,
  wholeMemory: (dimension: number) => 1.5 * 4 * dimension,
  wholeDisk: (dimension: number) => 4 * dimension + 470,
  int8Memory: (dimension: number) => dimension + 550,
  int8Disk: (dimension: number) => 5 * dimension + 470,
}

const short = (value: number): string =>
  value >= 1e9 ? `${round(value / 1e9)} G` : value >= 1e6 ? `${round(value / 1e6)} M` : `${round(value / 1e3)} k`
const size = (value: number): string => (value >= 1e12 ? `${round(value / 1e12)} TB` : `${round(value / 1e9)} GB`)
const round = (value: number): number => (value >= 100 ? Math.round(value) : Number(value.toPrecision(2)))
const days = (seconds: number): string => `${round(seconds / 86_400)}`
const row = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.join(' | ')} |`)
const head = (...cells: readonly string[]): void => {
  console.log()
  row(...cells)
  row(...cells.map(() => '---'))
}

type Case = { readonly hours: number; readonly grid: keyof typeof patchesAFrame; readonly unchanged: number }

const cases: readonly Case[] = numbers(values.hours).flatMap((hours) =>
  (['whole', 'normal', 'high', 'article'] as const).flatMap((grid) =>
    numbers(values.unchanged).map((unchanged) => ({ hours, grid, unchanged })),
  ),
)
const pointsOf = ({ hours, grid, unchanged }: Case): number =>
  hours * framesAnHour * patchesAFrame[grid] * (1 - unchanged)
const names = ({ hours, grid, unchanged }: Case) => [
  `${hours.toLocaleString('en')} h`,
  grid,
  `${Math.round(100 * unchanged)}%`,
]

head('video', 'grid', 'unchanged', 'points', 'starter: days', 'ViT-B/32: days', 'ViT-B/32, a GPU: days')
for (const each of cases) {
  const seconds = each.hours * 3600
  const onCpu = ({ patchesASecond }: { patchesASecond: number }) =>
    days(seconds * decodeSeconds + pointsOf(each) / patchesASecond)
  // Decoding runs beside a GPU, on the processor's cores.
  const onGpu = Math.max((seconds * decodeSeconds * 2) / gpuMachineCores, pointsOf(each) / gpuPatchesASecond)
  row(...names(each), short(pointsOf(each)), onCpu(models.starter), onCpu(models['clip-vit-b-32']), days(onGpu))
}

for (const [name, { dimension }] of Object.entries(models)) {
  console.log(`\n${name}: ${dimension} numbers`)
  const of = (each: Case, bytesAPoint: (dimension: number) => number) =>
    pointsOf(each) * bytesAPoint(dimension) * copies
  const nodes = (total: number) => Math.ceil(total / (nodeGB * 1e9))
  head(
    'video',
    'grid',
    'unchanged',
    'embedded: disk',
    'index in memory',
    'Qdrant: disk',
    'memory',
    'nodes',
    'fp32: memory',
    'nodes',
  )
  for (const each of cases) {
    const embedded = [size(of(each, bytes.embeddedDisk) / copies), size(of(each, bytes.embeddedMemory) / copies)]
    const [small, whole] = [of(each, bytes.int8Memory), of(each, bytes.wholeMemory)]
    row(
      ...names(each),
      ...embedded,
      size(of(each, bytes.int8Disk)),
      size(small),
      nodes(small),
      size(whole),
      nodes(whole),
    )
  }
}
