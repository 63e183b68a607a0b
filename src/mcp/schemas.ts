import { z } from 'zod'

/** What each tool takes and gives, as assistants are told. */

const filters = {
  n: z.number().int().min(1).max(100).default(6).describe('Moments to find'),
  likely: z.boolean().default(false).describe('Leave out moments that are no better than chance'),
  paths: z
    .array(z.string())
    .optional()
    .describe('Only videos whose path matches one of these globs, such as "2024/**"'),
  after: z.number().optional().describe('Only from this time within the video on, in seconds'),
  before: z.number().optional().describe('Only up to this time within the video, in seconds'),
  longerSeconds: z.number().optional().describe('Only videos at least so long'),
  shorterSeconds: z.number().optional().describe('Only videos at most so long'),
  recordedAfter: z.iso.date().optional().describe('Only videos recorded on this day or later, by what their file says'),
  recordedBefore: z.iso.date().optional().describe('Only videos recorded before this day'),
  aspect: z.enum(['landscape', 'portrait', 'square']).optional().describe('Only videos of this shape'),
}

export type SearchFilters = z.infer<z.ZodObject<typeof filters>>

const video = z.string().describe('Path of the video, the end of it, or its fingerprint')
const box = z.array(z.number()).length(4).describe('[x, y, width, height] as fractions of the displayed frame')

const moment = z.object({
  rank: z.number().describe('From 1, best first'),
  video: z.string().describe('Fingerprint'),
  path: z.string(),
  t: z.number().describe('Where it is seen best, in seconds'),
  from: z.number(),
  to: z.number(),
  score: z.number().describe('100 · cosine similarity'),
  likely: z.boolean().describe('Better than chance'),
  likelihood: z.number().nullable().describe('Share of plain captions that find nothing better in the same videos'),
  box: box.describe('Part of the frame that fits best: [x, y, width, height] as fractions'),
  parts: z
    .array(
      z.object({
        text: z.string(),
        step: z.number().describe('From 0; in "a" > "b" a has 0 and b has 1'),
        t: z.number(),
        score: z.number(),
        box,
      }),
    )
    .optional()
    .describe('Of several phrases: where each that is wanted is seen best'),
  also: z
    .array(z.object({ path: z.string(), video: z.string(), t: z.number() }))
    .optional()
    .describe('Where else the same is to be seen: other files, and other times of this one'),
})

const found = {
  query: z.string(),
  cutoff: z.number().nullable().describe('Score from which on moments are likely'),
  bestScore: z.number().nullable(),
  unknown: z.boolean().describe('The model knows no word of the query'),
  moments: z.array(moment),
}

export const search = {
  title: 'Search videos',
  description:
    'Finds the moments of the indexed videos that show what the query says. Plain words in English, such as: a red car in the rain. ' +
    'Phrases in quotes can be put together: "a dog" + "a beach" (both at once), "a beach" - "people" (without), "a man enters" > "he sits down" (one after the other).',
  inputSchema: { query: z.string().describe('What is to be seen'), ...filters },
  outputSchema: found,
}

export const similar = {
  title: 'Find similar moments',
  description: 'Finds moments that look like what a video shows at a time, or like a part of that frame.',
  inputSchema: {
    ...{ video, t: z.number().describe('Seconds from the start of the file') },
    box: z
      .tuple([z.number(), z.number(), z.number(), z.number()])
      .optional()
      .describe('Only this part of the frame: [x, y, width, height] as fractions'),
    ...filters,
  },
  outputSchema: found,
}

export const videos = {
  title: 'List videos',
  description: 'Lists the videos that can be searched, by path.',
  inputSchema: {
    contains: z.string().optional().describe('Only those with this in their path'),
    limit: z.number().int().min(1).max(1000).default(100),
    offset: z.number().int().min(0).default(0),
  },
  outputSchema: {
    total: z.number().describe('How many there are, listed or not'),
    videos: z.array(
      z.object({
        video: z.string().describe('Fingerprint'),
        path: z.string(),
        status: z.string().describe('complete, partial or failed'),
        durationSeconds: z.number().nullable(),
        width: z.number().nullable(),
        height: z.number().nullable(),
      }),
    ),
  },
}

export const frame = {
  title: 'Look at a frame',
  description: 'Shows the picture that a video shows at a time.',
  inputSchema: {
    ...{ video, t: z.number().describe('Seconds from the start of the file') },
    width: z.number().int().min(16).max(1920).default(768).describe('Pixels'),
  },
}

export const clip = {
  title: 'Cut a clip',
  description: 'Cuts a stretch out of a video into a file of its own, with its sound, and says where that is.',
  inputSchema: {
    ...{ video, from: z.number().describe('Seconds from the start of the file'), to: z.number().describe('Seconds') },
    name: z.string().optional().describe('Name of the file, without a folder: .mp4, .mov or .mkv'),
    replace: z.boolean().default(false).describe('Replace a clip of this name'),
  },
  outputSchema: {
    file: z.string(),
    mode: z.enum(['copy', 'encode']).describe('Copied without loss, or encoded'),
    from: z.number(),
    to: z.number(),
  },
  annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
}
