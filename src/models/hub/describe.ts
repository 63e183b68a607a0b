import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AutoConfig, AutoImageProcessor, AutoTokenizer, env } from '@huggingface/transformers'
import type { ModelDescription, Pullable } from '../manifest.ts'
import { type ImageTower, ModelError } from '../model.ts'

/*
 * The configurations of a repository have grown over the years: sizes as numbers, as edges or as width and height, defaults
 * that stand nowhere. The library knows them all; what it makes of them is turned into a description of ours here, so
 * that it is needed only once a model.
 */

type Identity = { readonly id: string; readonly repo: string; readonly licence: string }

/**
 * Describes a model whose files lie in a folder in the hub's layout. Makes no connection.
 *
 * @throws ModelError if it is no model of this kind, or wants something that cannot be done here
 */
export const describeHubModel = async (
  folder: string,
  { image, text }: Pick<Pullable, 'image' | 'text'>,
  { id, repo, licence }: Identity,
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
    return {
      id,
      name: `hf-${repo.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`.replace(/-$/, ''),
      description: `${repo} of the Hugging Face hub`,
      dimension: whole('a dimension in config.json', config.projection_dim ?? config.vision_config?.hidden_size),
      licence,
      image: { file: image.file, ...imageRule(processor) },
      text: {
        file: text.file,
        tokenizer: 'tokenizer.json',
        maxTokens: whole(
          'a context length',
          Math.min(config.text_config?.max_position_embeddings ?? Infinity, Number(model_max_length ?? Infinity)),
        ),
        // SigLIP was trained on lower-case texts of full length; CLIP's own tokenizer.json sees to the case itself.
        lowercase: isSiglip,
        ...(/^CLIPTokenizer/.test(String(kind)) && { cleaning: 'clip' as const }),
        ...(isSiglip && { padding: whole('a padding token', tokenizer.pad_token_id) }),
      },
    }
  } catch (cause) {
    throw new ModelError(
      'hub-model-unknown',
      `Expected hf:${repo} to be like CLIP or SigLIP, got: ${(cause as Error).message}`,
      {
        remedy: `Describe it in a model.json (see models/starter/model.json) beside its files, as in ${folder}, and use --model ./folder`,
        cause,
      },
    )
  }
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
