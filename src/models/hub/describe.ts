import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AutoConfig, AutoImageProcessor, AutoTokenizer, env } from '@huggingface/transformers'
import { hubLayout, hubVariants } from '../disk.ts'
import type { ModelDescription } from '../manifest.ts'
import { type ImageTower, ModelError } from '../model.ts'
import { dimensionOf, readOnnx } from '../onnx.ts'

/*
 * The configurations of a repository have grown over the years: sizes as numbers, as edges or as width and height, defaults
 * that stand nowhere. The library knows them all; what it makes of them is turned into a description of ours here, so
 * that it is needed only once a model.
 */

type Identity = Pick<ModelDescription, 'id' | 'name' | 'description' | 'licence'>

type Towers = { readonly image: string; readonly text: string }

/**
 * Describes a model whose configuration files lie in a folder in the hub's layout. Makes no connection, and needs its
 * graphs only where the configuration does not say how long an embedding is.
 *
 * @throws ModelError if it is no model of this kind, or wants something that cannot be done here
 */
export const describeHubModel = async (
  folder: string,
  towers: Towers,
  identity: Identity,
): Promise<ModelDescription> => {
  env.allowRemoteModels = false
  const local = { local_files_only: true }
  try {
    const [config, processor, tokenizer] = await Promise.all([
      AutoConfig.from_pretrained(folder, local) as Promise<Partial<Config>>,
      AutoImageProcessor.from_pretrained(folder, local).then((made) => made as unknown as Processor),
      AutoTokenizer.from_pretrained(folder, local),
    ])
    const { tokenizer_class: kind, model_max_length } = await readJson(join(folder, 'tokenizer_config.json'))
    const isSiglip = config.model_type?.startsWith('siglip') ?? false
    const family = isSiglip ? families.siglip : families.clip
    return {
      ...identity,
      dimension: whole(
        'a dimension in config.json',
        config.projection_dim ?? config.vision_config?.hidden_size ?? family.dimension,
      ),
      image: { file: towers.image, ...imageRule(processor) },
      text: {
        file: towers.text,
        tokenizer: 'tokenizer.json',
        maxTokens: maxTokens(config.text_config?.max_position_embeddings, Number(model_max_length), family.maxTokens),
        // SigLIP was trained on lower-case texts of full length; CLIP's own tokenizer.json sees to the case itself.
        lowercase: isSiglip,
        ...(/^CLIPTokenizer/.test(String(kind)) && { cleaning: 'clip' as const }),
        ...(isSiglip && { padding: whole('a padding token', tokenizer.pad_token_id) }),
      },
    }
  } catch (cause) {
    throw new ModelError(
      'hub-model-unknown',
      `Expected ${identity.id} to be like CLIP or SigLIP, got: ${(cause as Error).message}`,
      {
        remedy:
          'Put its files into a folder, describe them in a model.json (see models/starter/model.json), and use --model ./folder',
        cause,
      },
    )
  }
}

/** The graph's own word on the dimension goes before that of the configuration. */
export const withDimensionOfGraph = (folder: string, description: ModelDescription): ModelDescription => ({
  ...description,
  dimension: dimensionOf(readOnnx(join(folder, description.image.file))) ?? description.dimension,
})

/**
 * Describes a folder in the hub's layout that is not known to be of any repository: its id is drawn from its files.
 *
 * @throws ModelError as {@link describeHubModel}
 */
export const describeHubFolder = async (folder: string, towers: Towers): Promise<ModelDescription> => {
  const name =
    basename(folder)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'model'
  const graphs = Object.values(towers)
  const weights = graphs.flatMap((graph) =>
    readOnnx(join(folder, graph)).weights.map((path) => join(dirname(graph), path)),
  )
  const id = `folder-${await digest(folder, [...graphs, ...weights, ...hubLayout.configs])}`
  const described = await describeHubModel(folder, towers, {
    id,
    name,
    description: `the folder ${basename(folder)}`,
    licence: "see the model's own",
  })
  const variants = hubVariants(towers.image, (path) => existsSync(join(folder, path)))
  return withDimensionOfGraph(folder, { ...described, image: { ...described.image, variants } })
}

/** Bytes at the beginning, the middle and the end of a file that stand for it: weights that differ, differ everywhere. */
const sampleBytes = 64 * 1024

const digest = async (folder: string, paths: readonly string[]): Promise<string> => {
  const hash = createHash('sha256')
  for (const path of paths) {
    const file = await open(join(folder, path))
    try {
      const { size } = await file.stat()
      hash.update(`${path} ${size} `)
      for (const position of [0, size / 2, size - sampleBytes].map((at) => Math.max(0, Math.floor(at)))) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(sampleBytes), 0, sampleBytes, position)
        hash.update(buffer.subarray(0, bytesRead))
      }
    } finally {
      await file.close()
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * What configurations leave out, as transformers does: a value that is a family's default stands nowhere.
 * https://huggingface.co/docs/transformers/model_doc/clip and …/siglip
 */
const families = { clip: { dimension: 512, maxTokens: 77 }, siglip: { dimension: 768, maxTokens: 64 } } as const

/** A tokenizer without a limit says 1e30. */
const maxTokens = (positions: number | undefined, limit: number, fallback: number): number => {
  const known = [positions, limit].filter((each) => each !== undefined && each > 1 && each < 1e6) as number[]
  return known.length > 0 ? Math.min(...known) : fallback
}

/** The parts that are read; whatever a repository leaves out is missing. */
type Config = {
  readonly model_type: string
  readonly projection_dim: number
  readonly vision_config: { readonly hidden_size?: number }
  readonly text_config: { readonly max_position_embeddings?: number }
}

type Size = number | { readonly shortest_edge?: number; readonly width?: number; readonly height?: number }

type Processor = {
  readonly size?: Size
  readonly crop_size?: Size
  readonly do_center_crop?: boolean
  readonly do_normalize?: boolean
  readonly do_flip_channel_order?: boolean
  readonly rescale_factor?: number
  readonly resample?: number
  readonly image_mean?: readonly number[]
  readonly image_std?: readonly number[]
}

/** Pillow's numbers. */
const kernels: Readonly<Record<number, ImageTower['interpolation']>> = { 2: 'bilinear', 3: 'bicubic' }

type ImageRule = Omit<ModelDescription['image'], 'file'>

const imageRule = (processor: Processor): ImageRule => {
  const { do_center_crop: crops, do_normalize: normalises, resample = 2, rescale_factor: factor } = processor
  const size = edge('the size of pictures', processor.size ?? processor.crop_size)
  const interpolation = kernels[resample]
  if (!interpolation) throw new Error(`resampling of kind ${resample}, where 2 (bilinear) and 3 (bicubic) can be done`)
  if (processor.do_flip_channel_order) throw new Error('pictures of blue, green, red')
  if (factor !== undefined && Math.abs(factor * 255 - 1) > 1e-3) throw new Error(`pixels times ${factor}`)
  if (crops && edge('the size of the crop', processor.crop_size ?? size) !== size) {
    throw new Error('a crop that is smaller than the picture')
  }
  const squashes = !crops && typeof processor.size === 'object' && processor.size.shortest_edge === undefined
  if (!crops && !squashes) throw new Error('pictures that are neither squashed nor cropped to a square')
  return {
    size,
    resize: squashes ? 'squash' : 'edge-crop',
    interpolation,
    mean: channels('image_mean', normalises === false ? [0, 0, 0] : processor.image_mean),
    std: channels('image_std', normalises === false ? [1, 1, 1] : processor.image_std),
  }
}

const edge = (what: string, size: Size | undefined): number => {
  if (typeof size === 'object' && size.width !== size.height) throw new Error(`${what}: ${size.width} × ${size.height}`)
  return whole(what, typeof size === 'object' ? (size.shortest_edge ?? size.width) : size)
}

const channels = (what: string, values: readonly number[] | undefined): [number, number, number] => {
  const [red, green, blue, more] = values ?? []
  if (red === undefined || green === undefined || blue === undefined || more !== undefined)
    throw new Error(`no three numbers in ${what}`)
  return [red, green, blue]
}

const whole = (what: string, value: number | null | undefined): number => {
  if (value === undefined || value === null || !Number.isSafeInteger(value)) throw new Error(`no ${what}`)
  return value
}

const readJson = async (file: string): Promise<Readonly<Record<string, unknown>>> =>
  JSON.parse(await readFile(file, 'utf8'))
