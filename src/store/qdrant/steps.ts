import { readdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { StoreError } from '../store.ts'
import type { Api } from './client.ts'

/** The same folder as seen from src/ and from dist/, and a part of the package. */
const folder = new URL('../../../migrations/', import.meta.url)

const stepSchema = z.strictObject({
  /** One sentence for people. */
  description: z.string().min(1),
  /** Points from which on a collection is to have it; smaller ones are left as they are. */
  fromPoints: z.number().int().min(0).default(0),
  requests: z.array(
    z.strictObject({
      /** As in Qdrant's reference; `{collection}` stands for the name. */
      request: z.string().regex(/^(PUT \/collections\/[^/]+(\/index)?|PATCH \/collections\/[^/]+)$/),
      /** The strings `{collection}` and `{dimension}` stand for the name and the number. */
      body: z.record(z.string(), z.unknown()),
      /** Statuses that mean that it was done before. */
      doneIf: z.array(z.number().int()).default([]),
    }),
  ),
})

/** One numbered step of the schema's history. Applying it again changes nothing. */
export type Step = z.infer<typeof stepSchema> & { readonly name: string }

/** All steps in their order. */
export const readSteps = async (): Promise<readonly Step[]> => {
  const files = (await readdir(folder)).filter((file) => /^\d{4}-.*\.json$/.test(file)).sort()
  return Promise.all(files.map(readStep))
}

const readStep = async (file: string): Promise<Step> => {
  const parsed = stepSchema.safeParse(JSON.parse(await readFile(new URL(file, folder), 'utf8')))
  if (parsed.success) return { name: file.replace(/\.json$/, ''), ...parsed.data }
  throw new StoreError(
    'broken-package',
    `${new URL(file, folder)} is not a migration: ${z.prettifyError(parsed.error)}`,
    {
      remedy: 'Install vidgrep again: npm install -g vidgrep',
    },
  )
}

export type Places = { readonly collection: string; readonly dimension: number }

/** A step's requests with names and numbers in their places, as a person reads them. */
export const requestsOf = (step: Step, places: Places): readonly (Step['requests'][number] & { target: string })[] =>
  step.requests.map(({ request, body, doneIf }) => {
    const filled = request.replaceAll('{collection}', places.collection)
    return { request: filled, target: filled.split('/')[2]!, body: fill(body, places) as typeof body, doneIf }
  })

const fill = (value: unknown, places: Places): unknown => {
  if (value === '{dimension}') return places.dimension
  if (typeof value === 'string') return value.replaceAll('{collection}', places.collection)
  if (Array.isArray(value)) return value.map((item) => fill(item, places))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, places)]))
}

type Call = (argument: Record<string, unknown>, init: RequestInit) => Promise<{ data: { result?: unknown } }>

/** The client's function for a request that a step may hold. */
export const callFor = (api: Api, request: string): Call => {
  const calls = {
    PUT: request.endsWith('/index') ? api.createFieldIndex : api.createCollection,
    PATCH: api.updateCollection,
  }
  return calls[request.startsWith('PATCH') ? 'PATCH' : 'PUT'] as unknown as Call
}
