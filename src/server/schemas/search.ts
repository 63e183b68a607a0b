import { z } from 'zod'
import { boxSchema, collection, fingerprint, mostMoments, mostQueryCharacters, seconds } from './parts.ts'

/* What is asked, and what is found. */

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

export const uploadSchema = z.object({ id: z.string().describe('For `like` and `unlike`: `picture:ID`') })

export const uploadParamsSchema = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{32}\.jpg$/)
    .describe('Id of the picture, then `.jpg`'),
})

export type SearchQuery = z.output<typeof searchQuerySchema>
export type SearchOptionsQuery = Omit<SearchQuery, 'q' | 'like' | 'unlike' | 'offset'>
export type SearchAnswer = z.output<typeof searchAnswerSchema>
export type CurveAnswer = z.output<typeof curveAnswerSchema>
export type MomentAnswer = z.output<typeof momentSchema>
