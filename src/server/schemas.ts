import { z } from 'zod'

/*
 * What goes over the wire, each said once: types for the server and the page, checks of what comes in, and the OpenAPI
 * description come from here.
 */

/** Longest query in characters, and most moments of one answer. */
export const mostQueryCharacters = 1000
export const mostMoments = 1000

const seconds = z.coerce.number().min(0).max(1e7)

const collection = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,200}$/)
  .optional()
  .describe('Name of the collection; without it the one that the server was started with')

export const errorSchema = z
  .object({ error: z.object({ code: z.string(), message: z.string(), remedy: z.string() }) })
  .describe('What went wrong, and what can be done about it')

export const boxSchema = z
  .tuple([z.number(), z.number(), z.number(), z.number()])
  .describe('x, y, width and height as fractions (0–1) of the displayed frame')

export const momentSchema = z.object({
  rank: z.number().int().describe('From 1, best first'),
  path: z.string().describe('Where the video lies'),
  video: z.string().describe("Fingerprint of the video's content"),
  t: z.number().describe('Peak of the moment, in seconds from the start of the file'),
  from: z.number().describe('Its start'),
  to: z.number().describe('Its end'),
  score: z.number().describe('100 · cosine similarity'),
  likelihood: z
    .number()
    .nullable()
    .describe('Share (0–1) of plain captions that find nothing better in the same videos; null if not known'),
  likely: z.boolean().describe('The score reaches the cutoff'),
  patch: z.number().int().describe('0 is the whole frame'),
  box: boxSchema,
  hits: z.number().int().describe('Patches of the moment that fit about as well'),
  parts: z
    .array(
      z.object({
        text: z.string(),
        step: z.number().int().describe('Which of the steps of "one" > "another" it belongs to, from 0'),
        t: z.number(),
        score: z.number(),
        patch: z.number().int(),
        box: boxSchema,
      }),
    )
    .optional()
    .describe('Of several phrases: where each that is wanted is seen best'),
  also: z
    .array(z.object({ path: z.string(), video: z.string(), t: z.number() }))
    .readonly()
    .optional()
    .describe('Where else the same is to be seen: other files, and other times of this one'),
})

const fingerprint = z.string().regex(/^[A-Za-z0-9:_-]{8,200}$/)

const timeText = String.raw`\d{1,7}(?:\.\d{1,6})?`
const fraction = String.raw`[01](?:\.\d{1,6})?`

/** What {@link pictureSchema} allows, taken apart: a picture's id, or a video, a time and a box. */
export const picturePattern = new RegExp(
  `^(?:picture:([0-9a-f]{32})|([A-Za-z0-9:_-]{8,200})@(${timeText})(?:@(${fraction}(?:,${fraction}){3}))?)$`,
)

export const pictureSchema = z
  .string()
  .regex(picturePattern)
  .describe('`picture:ID` of POST /pictures; or `VIDEO@SECONDS`, or with a box `VIDEO@SECONDS@X,Y,W,H` in fractions')

/** One of them or several: a query string says which only by repeating the name. */
const several = <T extends z.ZodType>(item: T, most: number) => z.union([item, z.array(item).max(most)]).optional()

const flag = z.enum(['true', 'false'])

const instant = z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional()

/** What is searched, and how; the same for every way to ask. */
const searchShape = {
  n: z.coerce.number().int().min(1).max(mostMoments).default(24).describe('Moments wanted'),
  likely: flag.default('false').describe('Only likely moments'),
  strictness: z.coerce.number().min(0).max(1).optional().describe('Likelihood from which on a moment is likely'),
  threshold: z.coerce.number().min(-100).max(100).optional().describe('Minimum score'),
  path: several(z.string().min(1).max(4096), 50).describe('Only videos whose path matches one of these globs'),
  after: seconds.optional().describe('Only from this second within the video on'),
  before: seconds.optional().describe('Only up to this second within the video'),
  longer: seconds.optional().describe('Only videos of at least so many seconds'),
  shorter: seconds.optional().describe('Only videos of at most so many seconds'),
  since: instant.describe('Only videos recorded on this day or at this time, or later'),
  until: instant.describe('Only videos recorded before this day or time'),
  within: seconds.optional().describe('Most seconds from one step of a query to the next'),
  collection,
}

const words = z.string().trim().max(mostQueryCharacters)

const offset = z.coerce
  .number()
  .int()
  .min(0)
  .max(mostMoments)
  .default(0)
  .describe(`Moments to leave out from the beginning, to ask for more of an answer; with n at most ${mostMoments}`)

const endsInTime = ({ n, offset }: { readonly n: number; readonly offset: number }): boolean =>
  n + offset <= mostMoments
const endsTooLate = { error: `Expected "offset" and "n" to be at most ${mostMoments} together, got more` }

/** What is asked: words or pictures, at least one of them. */
const askedShape = {
  q: words.optional().describe('What is to be seen: words, or phrases put together, as in "a dog" > "a cat"'),
  like: several(pictureSchema, 20).describe('Pictures that it looks like'),
  unlike: several(pictureSchema, 20).describe('Pictures that it does not look like'),
}

const asks = ({ q, like }: { readonly q?: string; readonly like?: unknown }): boolean =>
  Boolean(q) || (like !== undefined && [like].flat().length > 0)
const nothingAsked = { error: 'Expected words in "q" or a picture in "like", got neither' }

export const searchQuerySchema = z
  .object({ ...askedShape, ...searchShape, offset })
  .refine(asks, nothingAsked)
  .refine(endsInTime, endsTooLate)

export const curveQuerySchema = z
  .object({ ...askedShape, ...searchShape, video: fingerprint.describe('The video to look along') })
  .refine(asks, nothingAsked)

export const similarQuerySchema = z
  .object({
    video: fingerprint.describe("The video's fingerprint"),
    t: seconds.describe('Seconds from the start of the file'),
    box: z
      .string()
      .regex(new RegExp(`^${fraction}(,${fraction}){3}$`))
      .optional()
      .describe('A part of the frame: x,y,width,height as fractions'),
    ...searchShape,
    offset,
  })
  .refine(endsInTime, endsTooLate)

export const searchAnswerSchema = z.object({
  query: z.string(),
  model: z.string(),
  collection: z.string(),
  cutoff: z.number().nullable().describe('Score from which on moments are likely; null if there is none'),
  unknown: z.boolean().describe('The model knows no word of the query: the scores say nothing'),
  language: z
    .string()
    .nullable()
    .describe('Language of the query where the model plainly does not know it (ISO 639-1)'),
  bestScore: z.number().nullable(),
  moments: z.array(momentSchema),
  isLast: z.boolean().describe('There are no moments after these'),
})

export const curveAnswerSchema = z.object({
  video: z.string(),
  path: z.string(),
  durationSeconds: z.number().nullable(),
  cutoff: z.number().nullable().describe('As in a search: it belongs to all videos that are searched'),
  background: z.number().nullable().describe("The query's mean score over the searched videos"),
  points: z
    .array(z.object({ t: z.number(), until: z.number(), score: z.number() }))
    .describe('Stretches of sampled frames and the score of the best patch in each, in the order of time'),
  moments: z.array(momentSchema).describe('Those of this video, best first'),
})

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
  indexedAt: z.string().describe('ISO 8601'),
})

export const collectionQuerySchema = z.object({ collection })

export const videoParamsSchema = z.object({ id: fingerprint.describe("The video's fingerprint") })

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
  collection,
})

export const healthSchema = z.object({
  status: z.enum(['ok', 'empty', 'store-away']),
  version: z.string(),
  collection: z.string(),
  model: z.string().nullable(),
  videos: z.number().int(),
  unfinished: z.number().int().describe('Videos that are being indexed, or were broken off'),
  points: z.number().int().describe('Grows while something is indexed, whoever does it'),
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

export const uploadSchema = z.object({ id: z.string().describe('For `like` and `unlike`: `picture:ID`') })

export const uploadParamsSchema = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{32}\.jpg$/)
    .describe('Id of the picture, then `.jpg`'),
})

export const indexingSchema = z.object({
  isRunning: z.boolean(),
  paths: z.array(z.string()).describe('What is indexed'),
  videos: z.number().int().describe('Files found'),
  done: z.number().int(),
  failed: z.number().int(),
  current: z
    .object({ path: z.string(), atSeconds: z.number(), durationSeconds: z.number().nullable() })
    .nullable()
    .describe('The video that was last heard of'),
  ended: z.enum(['done', 'stopped', 'failed']).nullable().describe('How the last run ended'),
  message: z.string().nullable().describe('Why it failed'),
})

export const startIndexingSchema = z.object({
  paths: z.array(z.string().min(1).max(4096)).min(1).max(50).describe('Folders and files within those allowed'),
  collection,
})

export const foldersQuerySchema = z.object({
  path: z.string().min(1).max(4096).optional().describe('One of those allowed, or within; without it, those allowed'),
})

export const foldersSchema = z.object({
  path: z.string().nullable(),
  folders: z.array(z.object({ path: z.string(), name: z.string() })),
})

export const collectionsSchema = z.object({
  current: z.string().describe('The one that is searched where none is named'),
  names: z.array(z.string()),
})

/** What /events sends, each as the data of an event of its type. */
export const eventSchema = z.discriminatedUnion('type', [
  healthSchema.extend({ type: z.literal('health') }),
  indexingSchema.extend({ type: z.literal('indexing') }),
])

export type SearchQuery = z.output<typeof searchQuerySchema>
export type SearchOptionsQuery = Omit<SearchQuery, 'q' | 'like' | 'unlike' | 'offset'>
export type SearchAnswer = z.output<typeof searchAnswerSchema>
export type CurveAnswer = z.output<typeof curveAnswerSchema>
export type MomentAnswer = z.output<typeof momentSchema>
export type VideoAnswer = z.output<typeof videoSchema>
export type ScenesAnswer = z.output<typeof scenesAnswerSchema>
export type StretchBody = z.output<typeof stretchSchema>
export type Health = z.output<typeof healthSchema>
export type IndexingState = z.output<typeof indexingSchema>
export type Folders = z.output<typeof foldersSchema>
export type ServerEvent = z.output<typeof eventSchema>
