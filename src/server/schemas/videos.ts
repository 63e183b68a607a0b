import { z } from 'zod'
import { collection, fingerprint, mostQueryCharacters, seconds } from './parts.ts'

/* The videos, pictures of them, and what is taken out of them. */

export const videoSchema = z.object({
  video: z.string().describe("Fingerprint of the video's content"),
  paths: z.array(z.string()).describe('Every place where it lies'),
  name: z.string(),
  status: z.enum(['complete', 'partial', 'failed']),
  reason: z.string().nullable(),
  durationSeconds: z.number().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  frames: z.number().int(),
  points: z.number().int(),
  recordedAt: z.string().nullable().describe('ISO 8601, by what the file says; null if it does not'),
  indexedAt: z.string().describe('ISO 8601'),
})

export const videoDetailsSchema = videoSchema.extend({
  frameRate: z.number().nullable().describe('Frames a second on average; null if the file is away or does not say'),
})

export const frameParamsSchema = z.object({
  id: fingerprint.describe("The video's fingerprint"),
  t: z
    .string()
    .regex(/^\d{1,7}(\.\d{1,6})?\.jpg$/)
    .describe('Seconds from the start of the file, then `.jpg`'),
})

/** Widths are rounded up to one of these, so that the cache holds few sizes. */
export const widths = [160, 320, 640, 1280, 1920] as const

export const frameQuerySchema = z.object({
  w: z.coerce
    .number()
    .int()
    .min(1)
    .max(4096)
    .default(320)
    .describe(`Width in pixels: ${widths.join(', ')}`),
  within: z.coerce
    .number()
    .min(0)
    .max(60)
    .optional()
    .describe('Rather a picture that indexing kept, which comes at once, if one lies so many seconds away or less'),
  collection,
})

const stretchShape = {
  from: seconds.describe('Its start in seconds from the start of the file'),
  to: seconds.describe('Its end'),
}

export const stretchQuerySchema = z.object({ ...stretchShape, collection })

export const stretchSchema = z.object({
  video: fingerprint.describe("The video's fingerprint"),
  ...stretchShape,
  t: seconds.describe('The moment within it'),
  name: z.string().max(mostQueryCharacters).default('').describe('What an editor is shown: the query, mostly'),
  score: z.number().min(-100).max(100).optional(),
})

/** Most stretches of one list, and of one ZIP file. */
const mostStretches = 2000
const mostClips = 200

export const exportsSchema = z.object({
  format: z.enum(['edl', 'otio', 'fcpxml', 'csv', 'json']),
  moments: stretchSchema.array().min(1).max(mostStretches),
  collection,
})

export const clipsSchema = z.object({ moments: stretchSchema.array().min(1).max(mostClips), collection })

export const scenesAnswerSchema = z.object({
  video: z.string(),
  path: z.string(),
  durationSeconds: z.number().nullable(),
  scenes: z
    .array(
      z.object({
        from: z.number(),
        to: z.number().describe('Where the next one begins'),
        t: z.number().describe('Of a frame that stands for it'),
      }),
    )
    .describe('Stretches between two changes of what is seen'),
})

export type VideoAnswer = z.output<typeof videoSchema>
export type VideoDetails = z.output<typeof videoDetailsSchema>
export type ScenesAnswer = z.output<typeof scenesAnswerSchema>
export type StretchBody = z.output<typeof stretchSchema>
