import { readdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { countFromStart, type MigrationStep, markOtherClocks } from '../schema.ts'
import {
  type CallOptions,
  CollectionMissingError,
  expectBelonging,
  type OpenStore,
  type Store,
  StoreError,
  schemaVersion,
} from '../store.ts'
import { type Api, type Connect, connect, type Qdrant, type Schemas, writeSeconds } from './client.ts'
import {
  checkName,
  claim,
  collectionInfo,
  collectionNames,
  collectionOf,
  type Meta,
  readMeta,
  recordSchemaVersion,
  recordStep,
  recordsCollection,
} from './collections.ts'
import { statusOf } from './failures.ts'
import { scroll } from './points.ts'
import { changeRecord } from './records.ts'

export type Migrate = Connect & CallOptions & { readonly collection: string; readonly dryRun?: boolean }

/**
 * Brings a collection's schema up to date. Steps that were applied before are left out, so a second call does nothing;
 * two processes may do it at once.
 * @returns the steps that were applied, or with `dryRun` those that would be
 * @throws CollectionMissingError, SchemaTooNewError, StoreError
 */
export const migrateQdrantCollection = async (
  url: string,
  { collection, dryRun, signal, ...options }: Migrate,
): Promise<MigrationStep[]> => {
  checkName(collection)
  const qdrant = await connect(url, options)
  const meta = await readMeta(qdrant, collection, { signal })
  if (!meta) {
    throw new CollectionMissingError(collection, qdrant.location, await collectionNames(qdrant, { signal }))
  }
  expectBelonging(collectionOf(collection, meta), undefined)
  if (meta.contents) return migrateQdrantCollection(url, { collection: meta.contents, dryRun, signal, ...options })
  const points = pointsOf(await collectionInfo(qdrant, collection, { signal }))
  if (!dryRun) return update(qdrant, collection, meta, points, { signal })
  const places = { collection, dimension: meta.dimension }
  const steps = (await pendingSteps(meta, points)).map((step) => migrationOf(step, places))
  return meta.schemaVersion < schemaVersion ? [...steps, countFromStart] : steps
}

const migrationOf = (step: Step, places: Places): MigrationStep => ({
  name: step.name,
  description: step.description,
  requests: requestsOf(step, places).map(({ request, body }) => `${request} ${JSON.stringify(body)}`),
})

/**
 * Finds the collection, or with `create` makes it and brings its schema up to date.
 * @throws CollectionMissingError, ModelMismatchError, SchemaTooNewError, StoreError
 */
export const findOrCreate = async (qdrant: Qdrant, options: OpenStore): Promise<Meta> => {
  const { collection, create, onMigrated, signal } = options
  const found = await readMeta(qdrant, collection, { signal })
  if (!found && !create) {
    throw new CollectionMissingError(collection, qdrant.location, await collectionNames(qdrant, { signal }))
  }
  const meta = found ?? (await createCollection(qdrant, collection, create!, { signal }))
  expectBelonging(collectionOf(collection, meta), create)
  const { contents } = meta
  if (contents) return { ...(await findOrCreate(qdrant, { ...options, collection: contents })), contents }
  const info = await collectionInfo(qdrant, collection, { signal })
  if (!info) throw pointless(collection, qdrant.location)
  if (!create) return meta
  for (const step of await update(qdrant, collection, meta, pointsOf(info), { signal })) onMigrated?.(step)
  return { ...meta, schemaVersion }
}

/** Applies what a collection became large enough for. One that is not there any more is left alone. */
export const catchUp = async (qdrant: Qdrant, name: string, options: CallOptions): Promise<void> => {
  const [meta, info] = await Promise.all([readMeta(qdrant, name, options), collectionInfo(qdrant, name, options)])
  if (meta && info) await update(qdrant, name, meta, pointsOf(info), options)
}

const pointsOf = (info: Schemas['CollectionInfo'] | undefined): number => info?.points_count ?? 0

/** Several processes may be here at once: every request leaves alone what is there, and the first claim stands. */
const createCollection = async (
  qdrant: Qdrant,
  name: string,
  wanted: NonNullable<OpenStore['create']>,
  options: CallOptions,
): Promise<Meta> => {
  const there = await collectionInfo(qdrant, name, options)
  if (there && (there.points_count ?? 0) > 0) return claimed(qdrant, name, options)
  const steps = (await readSteps()).filter(({ fromPoints }) => fromPoints === 0)
  for (const step of steps) await apply(qdrant, step, { collection: name, dimension: wanted.dimension }, options)
  const vectors = (await collectionInfo(qdrant, name, options))?.config.params.vectors
  if (vectors?.size === wanted.dimension && vectors.distance === 'Cosine') {
    const now = new Date().toISOString()
    const migrations = Object.fromEntries(steps.map((step) => [step.name, now]))
    await claim(qdrant, name, { ...wanted, schemaVersion, migrations }, options)
  }
  return claimed(qdrant, name, options)
}

/** Whose collection it is: ours, or that of a process that was faster. Without a claim it is another program's. */
const claimed = async (qdrant: Qdrant, name: string, options: CallOptions): Promise<Meta> => {
  const meta = await readMeta(qdrant, name, options)
  if (meta) return meta
  throw new StoreError('collection-foreign', `Collection "${name}" in ${qdrant.location} was not made by vidgrep`, {
    remedy: 'Take another name: --collection NAME',
  })
}

/** Its records would say that everything is indexed. */
const pointless = (name: string, location: string): StoreError =>
  new StoreError(
    'collection-damaged',
    `Collection "${name}" in ${location} was deleted, but not the records of its videos`,
    {
      remedy: `Delete them too: curl -X DELETE ${location}/collections/${recordsCollection(name)}`,
    },
  )

/** Steps that were not applied, of those that a collection of so many points is to have. */
const pendingSteps = async (meta: Meta, points: number): Promise<readonly Step[]> =>
  (await readSteps()).filter(({ name, fromPoints }) => points >= fromPoints && !(name in meta.migrations))

const update = async (
  qdrant: Qdrant,
  collection: string,
  meta: Meta,
  points: number,
  options: CallOptions,
): Promise<MigrationStep[]> => {
  const places = { collection, dimension: meta.dimension }
  const done: MigrationStep[] = []
  for (const step of await pendingSteps(meta, points)) {
    await apply(qdrant, step, places, options)
    await recordStep(qdrant, collection, step.name, options)
    done.push(migrationOf(step, places))
  }
  if (meta.schemaVersion >= schemaVersion) return done
  await markOtherClocks(recordsOf(qdrant, collection), timesOf(qdrant, collection, options), options)
  await recordSchemaVersion(qdrant, collection, options)
  return [...done, countFromStart]
}

const recordsOf = (qdrant: Qdrant, name: string): Pick<Store, 'changeRecord'> => ({
  changeRecord: (video, change, options = {}) => changeRecord(qdrant, name, video, change, options),
})

async function* timesOf(qdrant: Qdrant, name: string, options: CallOptions) {
  const request = { limit: 4096, with_payload: ['video', 't'] }
  for await (const { payload } of scroll(qdrant, name, request, options)) {
    yield payload as unknown as { readonly video: string; readonly t: number }
  }
}

const apply = async (
  qdrant: Qdrant,
  step: Step,
  places: { readonly collection: string; readonly dimension: number },
  { signal }: CallOptions,
): Promise<void> => {
  for (const { request, target, body, doneIf } of requestsOf(step, places)) {
    const argument = { ...body, collection_name: target, ...(request.endsWith('/index') ? { wait: true } : {}) }
    try {
      await qdrant.ask((api, init) => callFor(api, request)(argument, init), { signal, timeoutSeconds: writeSeconds })
    } catch (error) {
      if (!doneIf.includes(statusOf(error) ?? 0)) throw error
    }
  }
}

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
