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
})

/** Other files of the same tower: smaller, and a little less exact. */
const variants = z.record(z.enum(['fp16', 'int8']), relativePath.optional()).optional()

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
  licence: z.string(),
}

/** What a model.json in a user's own folder says; paths are relative to that folder. */
export const modelDescription = z.strictObject(description)

/** Where nobody has published size or hash they are `null`: the first pull learns them, if the user trusts it. */
const file = z.strictObject({ path: relativePath, bytes: z.int().positive().nullable(), sha256: sha256.nullable() })

/** What models/manifest.json says of a known model. */
export const manifestEntry = z
  .strictObject({
    ...description,
    image: image.extend({ variants }),
    text: text.extend({ variants }),
    /** Lies in the package itself, under models/NAME. */
    carried: z.boolean().optional(),
    /** Where the files are pulled from: a repository on the Hugging Face hub, pinned to a commit. */
    source: z.strictObject({ repo: z.string(), revision: z.string().regex(/^[0-9a-f]{40}$/) }).optional(),
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
export type ModelFile = z.infer<typeof file>
export type Manifest = z.infer<typeof manifest>
