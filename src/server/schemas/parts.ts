import { z } from 'zod'

/*
 * What goes over the wire, each said once: types for the server and the page, checks of what comes in, and the OpenAPI
 * description come from the files of this folder. Here is what several of them share.
 */

/** Longest query in characters, and most moments of one answer. */
export const mostQueryCharacters = 1000
export const mostMoments = 1000

export const seconds = z.coerce.number().min(0).max(1e7)

export const collection = z
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

export const fingerprint = z.string().regex(/^[A-Za-z0-9:_-]{8,200}$/)

export const collectionQuerySchema = z.object({ collection })

export const videoParamsSchema = z.object({ id: fingerprint.describe("The video's fingerprint") })
