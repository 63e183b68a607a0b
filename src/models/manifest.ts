import { z } from 'zod'

const name = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'Expected lower-case letters, digits and single dashes')

/** Relative, with forward slashes, and never out of its folder. */
const relativePath = z
  .string()
  .regex(/^(?![/\\])[^\\:]+$/)
  .refine((path) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'), {
    error: 'Expected a path inside the folder',
  })

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'Expected 64 hexadecimal digits, lower-case')

const perChannel = z.tuple([z.number(), z.number(), z.number()])

const image = z.strictObject({
  file: relativePath,
  sha256: sha256.optional(),
  input: z.string().optional(),
  output: z.string().optional(),
  size: z.int().min(1).max(4096),
  resize: z.enum(['squash', 'edge-crop']),
  interpolation: z.enum(['bicubic', 'bilinear']),
  mean: perChannel,
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  batch: z.int().min(1).max(64).optional(),
  /** Other files of the same tower: in half precision for a GPU, and in lesser precisions. */
  variants: z.partialRecord(z.enum(['fp16', 'balanced', 'fast']), relativePath).optional(),
})

const text = z.strictObject({
  file: relativePath,
  sha256: sha256.optional(),
  tokenizer: relativePath,
  inputs: z.array(z.string()).min(1).optional(),
  output: z.string().optional(),
  maxTokens: z.int().min(2),
  lowercase: z.boolean(),
  cleaning: z.enum(['clip']).optional(),
  padding: z.int().min(0).optional(),
})

const description = {
  id: z.string().min(1),
  name,
  description: z.string(),
  dimension: z.int().min(1),
  image,
  text,
  threshold: z.number().optional(),
  sameFrame: z.number().min(0).max(1).optional(),
  licence: z.string(),
  /** ISO 639-1 codes, or `multilingual`. */
  languages: z.array(z.string()).min(1).optional(),
}

/** What a model.json in a user's own folder says; paths are relative to that folder. */
export const modelDescription = z.strictObject(description)

/** A commit of a repository on the Hugging Face hub. */
const pinned = { repo: z.string().regex(/^[\w.-]+\/[\w.-]+$/), revision: z.string().regex(/^[0-9a-f]{40}$/) }

const file = z.strictObject({
  path: relativePath,
  /** `null` where nobody has published it: the first pull learns it. */
  bytes: z.int().positive().nullable(),
  /** Roughly, where `bytes` is `null`. */
  aboutBytes: z.int().positive().optional(),
  /** `null` where nobody has published it: the first pull learns it, if the user trusts the file. */
  sha256: sha256.nullable(),
  /** Where this file is pulled from, if not from the model's own source: CLIP's vocabulary is the same everywhere. */
  from: z.strictObject({ ...pinned, path: relativePath }).optional(),
})

/** What models/manifest.json says of a known model. */
export const manifestEntry = z
  .strictObject({
    ...description,
    /** Smaller files of the same tower. */
    text: text.extend({ variants: z.partialRecord(z.enum(['fp16', 'int8']), relativePath).optional() }),
    /** Lies in the package itself, under models/NAME. */
    carried: z.boolean().optional(),
    /** Where the files are pulled from. */
    source: z.strictObject(pinned).optional(),
    licenceUrl: z.url().optional(),
    /** The licence allows research only: it has to be accepted before the model is pulled. */
    researchOnly: z.boolean().optional(),
    /** What the model multiplies a cosine by before a softmax. */
    logitScale: z.number().positive().optional(),
    /** ISO 639-1 codes, or `multilingual`. */
    languages: z.array(z.string()).min(1),
    goodFor: z.string(),
    /** The authors' own figures, percent. */
    published: z.record(z.string(), z.number()).optional(),
    files: z.array(file).min(1),
  })
  .refine((entry) => (entry.carried === true) !== (entry.source !== undefined), {
    error: 'Expected a model that is either carried or has a source',
  })

export const manifest = z.strictObject({ models: z.array(manifestEntry).min(1) })

export type ModelDescription = z.infer<typeof modelDescription>
export type ManifestEntry = z.infer<typeof manifestEntry>
/** As much of an entry as it takes to fetch its files. */
export type Pullable = Pick<
  ManifestEntry,
  'name' | 'source' | 'files' | 'carried' | 'licence' | 'licenceUrl' | 'researchOnly'
> & {
  readonly image: Pick<ManifestEntry['image'], 'file' | 'variants'>
  readonly text: Pick<ManifestEntry['text'], 'file' | 'variants'>
}
export type ModelFile = z.infer<typeof file>
export type Manifest = z.infer<typeof manifest>
