import { z } from 'zod'
import { collection } from './parts.ts'

/* What goes on in the store and the server. */

export const healthSchema = z.object({
  status: z.enum(['ok', 'empty', 'store-away']),
  version: z.string(),
  collection: z.string(),
  model: z.string().nullable(),
  videos: z.number().int(),
  unfinished: z.number().int().describe('Videos that are being indexed, or were broken off'),
  points: z.number().int().describe('Grows while something is indexed, whoever does it'),
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

export type Health = z.output<typeof healthSchema>
export type IndexingState = z.output<typeof indexingSchema>
export type Folders = z.output<typeof foldersSchema>
export type ServerEvent = z.output<typeof eventSchema>
