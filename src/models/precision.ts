import { existsSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../errors.ts'
import { folders, type LesserPrecision, lesserPrecisions, type Precision } from '../settings.ts'
import { writeJson } from './disk.ts'
import type { ModelDescription } from './manifest.ts'
import { type Model, ModelError } from './model.ts'

/*
 * A lesser precision is another file of the image tower; texts are always encoded in full. Its embeddings are others, so
 * the id of the model in that precision is another one too: ID+fast. A collection, which keeps the id, keeps the precision
 * with it.
 */

/** @param modelId of a model in any precision, as a collection has it */
export const parseModelId = (modelId: string): { readonly id: string; readonly precision: Precision } => {
  const precision = lesserPrecisions.find((each) => modelId.endsWith(`+${each}`))
  return precision ? { id: modelId.slice(0, -precision.length - 1), precision } : { id: modelId, precision: 'full' }
}

/** The graph of a precision that the user added, relative to the model's folder. */
export const addedGraph = (precision: LesserPrecision): string => `${precision}/model.onnx`

/** The files of lesser precisions that are in a model's folder, relative to it: the user's own before the model's. */
export const lesserFiles = (
  folder: string,
  { variants }: Pick<ModelDescription['image'], 'variants'>,
): NonNullable<Model['image']['lesserFiles']> =>
  Object.fromEntries(
    lesserPrecisions.flatMap((precision) => {
      const found = [addedGraph(precision), variants?.[precision]].find(
        (path) => path && existsSync(join(folder, path)),
      )
      return found ? [[precision, found]] : []
    }),
  )

export const precisionsOf = ({
  image,
}: {
  readonly image: Pick<Model['image'], 'lesserFiles'>
}): readonly Precision[] => ['full', ...lesserPrecisions.filter((precision) => image.lesserFiles?.[precision])]

/**
 * @param model in full precision
 * @throws ModelError if it has no file of this precision
 */
export const inPrecision = (model: Model, precision: Precision = 'full'): Model => {
  if (precision === 'full') return model
  const file = model.image.lesserFiles?.[precision]
  if (file) return { ...model, id: `${model.id}+${precision}`, image: { ...model.image, file, halfFile: undefined } }
  throw new ModelError(
    'precision-missing',
    `Expected the model ${model.name} to have a file for the precision ${precision}, got only ${precisionsOf(model).join(', ')}`,
    {
      remedy: `Pull it where there is one: vidgrep models pull ${model.name} --precision ${precision}; or add your own: vidgrep models add FILE --to ${model.name} --precision ${precision}`,
    },
  )
}

/** Mean cosine to the full embeddings from which on the points of two precisions may lie in one collection. */
export const leastMixableCosine = 0.99

const measuredFile = (): string => join(folders().cache, 'precisions.json')

/** Another file of the same precision was not measured. */
const measuredKey = async ({ id, image }: Model): Promise<string> => {
  const { size, mtimeMs } = await stat(image.file)
  return `${id} ${size} ${mtimeMs}`
}

const readMeasured = async (): Promise<Readonly<Record<string, number>>> => {
  const json = await readFile(measuredFile(), 'utf8').catch(() => undefined)
  return json === undefined ? {} : JSON.parse(json)
}

/** Keeps what was measured on this machine: the mean cosine of a model's embeddings to those in full precision. */
export const keepMeasuredCosine = async (model: Model, cosine: number): Promise<void> => {
  await mkdir(dirname(measuredFile()), { recursive: true })
  await writeJson(measuredFile(), { ...(await readMeasured()), [await measuredKey(model)]: cosine })
}

/** @throws UsageError if points of the model in this precision must not be added to those of another, `held` */
export const expectMixable = async (collection: string, model: Model, held: Model): Promise<void> => {
  const measured = await readMeasured()
  const lesser = [model, held].filter(({ id }) => parseModelId(id).precision !== 'full')
  const cosines = await Promise.all(lesser.map(async (each) => measured[await measuredKey(each)]))
  if (cosines.every((cosine) => cosine !== undefined && cosine >= leastMixableCosine)) return
  const [wanted, holds] = [model, held].map(({ id }) => parseModelId(id).precision)
  const found = cosines.map((cosine) => (cosine === undefined ? 'nothing measured' : cosine.toFixed(4))).join(' and ')
  throw new UsageError(
    `Expected the precision ${holds} that collection "${collection}" was made with, or one whose embeddings are the same to a cosine of ${leastMixableCosine}, got ${wanted} (${found})`,
    {
      remedy: `Leave out --precision, measure it on your own videos (vidgrep models check ${model.name}), or use another collection: --collection NAME`,
    },
  )
}
