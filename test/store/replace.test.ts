import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, replaceCollection } from '../../src/store/openStore.ts'
import { CollectionMissingError, ModelMismatchError, type Store, StoreError } from '../../src/store/store.ts'
import { askServer } from './qdrant-place.ts'
import { dimension, model, putRecord, samplePoint, sampleRecord, unitVector } from './samples.ts'
import { startStandIn } from './stand-in/server.ts'

type Where = { readonly location: string; readonly apiKey?: string; remove(): Promise<unknown> }

const other = { model: 'other-model@2', dimension }

/** What every store has to do when one collection takes another's place. */
const replacing = (what: string, makePlace: () => Promise<Where>): void => {
  describe(`${what} puts a collection in the place of another`, () => {
    let where: Where
    const made = new Set<string>()
    let count = 0
    beforeAll(async () => {
      where = await makePlace()
    })
    afterAll(async () => {
      const { location: url, apiKey } = where
      if (url.startsWith('http')) {
        for (const name of [...made].flatMap((each) => [each, `${each}-videos`])) {
          await askServer({ url, apiKey }, 'DELETE', `/collections/${name}`)
        }
      }
      await where.remove()
    })

    const freshName = (): string => {
      const name = `replace-${++count}_${Math.random().toString(36).slice(2, 8)}`
      made.add(name)
      return name
    }
    const open = (collection: string, create?: { model: string; dimension: number }): Promise<Store> =>
      openStore(where.location, { collection, create, apiKey: where.apiKey })
    const replace = (name: string, by: string) => replaceCollection(where.location, { name, by, apiKey: where.apiKey })
    const filled = async (name: string, create: { model: string; dimension: number }, video: string) => {
      const store = await open(name, create)
      await store.upsert([samplePoint(1, { video, id: crypto.randomUUID() })])
      await putRecord(store, sampleRecord(video, { model: create.model }))
      return store
    }
    /** An old collection with the video `a`, a new one with the video `b`. */
    const both = async () => {
      const [name, by] = [freshName(), freshName()]
      return { name, by, before: await filled(name, { model, dimension }, 'a'), next: await filled(by, other, 'b') }
    }
    const videosIn = async (store: Store) => ({
      points: (await store.search(unitVector(1), { limit: 9 })).map(({ video }) => video),
      records: (await store.records()).map(({ video }) => video),
    })

    test('its name opens what the other one holds, for reading and for writing', async () => {
      const { name, by, next } = await both()
      await replace(name, by)
      const store = await open(name)
      expect(store.collection).toEqual({ ...next.collection, name })
      expect(await videosIn(store)).toEqual({ points: ['b'], records: ['b'] })
      const writer = await open(name, other)
      await writer.upsert([samplePoint(2, { video: 'c' })])
      await putRecord(writer, sampleRecord('c'))
      await writer.optimize()
      expect(await videosIn(await open(name))).toEqual({ points: ['b', 'c'], records: ['b', 'c'] })
      expect(await store.countPoints()).toBe(2)
    })

    test('the old model is refused from then on, under the name that the user knows', async () => {
      const { name, by } = await both()
      await replace(name, by)
      const failure = await open(name, { model, dimension }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ModelMismatchError)
      expect((failure as Error).message).toContain(`"${name}" holds embeddings of ${other.model}`)
    })

    test('a store that was open on the old one fails, and never writes among what is new', async () => {
      const { name, by, before } = await both()
      await replace(name, by)
      await expect(before.upsert([samplePoint(3, { video: 'stale' })])).rejects.toBeInstanceOf(StoreError)
      expect(await videosIn(await open(name))).toEqual({ points: ['b'], records: ['b'] })
    })

    test('a store that is open on the new one goes on', async () => {
      const { name, by, next } = await both()
      await replace(name, by)
      await next.upsert([samplePoint(4, { video: 'd' })])
      expect(await (await open(name)).countPoints('d')).toBe(1)
    })

    test('both names are among those that a user is told', async () => {
      const { name, by } = await both()
      await replace(name, by)
      const failure = await open('nowhere').catch((error: Error) => error)
      for (const each of [name, by]) expect((failure as Error).message).toMatch(new RegExp(`[ (]${each}[,)]`))
    })

    test('once more changes nothing', async () => {
      const { name, by } = await both()
      await replace(name, by)
      await replace(name, by)
      expect(await videosIn(await open(name))).toEqual({ points: ['b'], records: ['b'] })
    })

    test('again and again, also with one of the model that was there first', async () => {
      const { name, by } = await both()
      await replace(name, by)
      const third = freshName()
      await filled(third, { model, dimension }, 'e')
      await replace(name, third)
      const store = await open(name, { model, dimension })
      expect(store.collection).toMatchObject({ name, model })
      expect(await videosIn(store)).toEqual({ points: ['e'], records: ['e'] })
      await expect(open(by)).rejects.toBeInstanceOf(CollectionMissingError)
      await filled(by, other, 'f')
      await replace(name, by)
      expect(await videosIn(await open(name))).toEqual({ points: ['f'], records: ['f'] })
    })

    test('is refused when one of them is missing, and all stays as it was', async () => {
      const { name, by, before } = await both()
      await expect(replace(name, 'nowhere')).rejects.toBeInstanceOf(CollectionMissingError)
      await expect(replace('nowhere', by)).rejects.toBeInstanceOf(CollectionMissingError)
      expect(await videosIn(before)).toEqual({ points: ['a'], records: ['a'] })
    })
  })
}

replacing('The embedded store', async () => {
  const location = await mkdtemp(join(tmpdir(), 'vidgrep-replace-'))
  return { location, remove: () => rm(location, { recursive: true }) }
})
replacing('Qdrant (stand-in)', async () => {
  const server = await startStandIn()
  return { location: server.url, remove: () => server.close() }
})
const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
if (url) replacing(`Qdrant at ${url}`, async () => ({ location: url, apiKey, remove: async () => {} }))

describe('a replacement that was broken off', () => {
  test('on a server is finished by the next one', async () => {
    const server = await startStandIn()
    const at = (collection: string, create?: typeof other) => openStore(server.url, { collection, create })
    const old = await at('old', { model, dimension })
    await old.upsert([samplePoint(1)])
    await putRecord(await at('new', other), sampleRecord('b'))
    server.fault = ({ method }) => (method === 'DELETE' ? { status: 403, body: '{}' } : undefined)
    await expect(replaceCollection(server.url, { name: 'old', by: 'new' })).rejects.toBeInstanceOf(StoreError)
    expect((await (await at('old')).records()).map(({ video }) => video)).toEqual(['b'])
    expect(server.database.has('old')).toBe(true)
    server.fault = () => undefined
    await replaceCollection(server.url, { name: 'old', by: 'new' })
    expect([...server.database.keys()].sort()).toEqual(['new', 'new-videos', 'old-videos'])
    await server.close()
  })

  test('in a folder is finished by the next one, and readers have the new collection all along', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vidgrep-replace-'))
    const at = (collection: string, create?: typeof other) => openStore(folder, { collection, create })
    await (await at('old', { model, dimension })).upsert([samplePoint(1)])
    await putRecord(await at('new', other), sampleRecord('b'))
    const facts = JSON.parse(await readFile(join(folder, 'new/collection.json'), 'utf8'))
    const pointer = { ...facts, name: 'old', contents: 'new', replaced: 'old' }
    await writeFile(join(folder, 'old/collection.json'), JSON.stringify(pointer))
    expect((await (await at('old')).records()).map(({ video }) => video)).toEqual(['b'])
    expect(await readdir(join(folder, 'old'))).toContain('points.lance')
    await replaceCollection(folder, { name: 'old', by: 'old' })
    expect(await readdir(join(folder, 'old'))).toEqual(['collection.json'])
    expect((await (await at('old')).records()).map(({ video }) => video)).toEqual(['b'])
    await rm(folder, { recursive: true })
  })

  test('says to those who were reading that the collection was replaced', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vidgrep-replace-'))
    const old = await openStore(folder, { collection: 'old', create: { model, dimension } })
    await openStore(folder, { collection: 'new', create: other })
    await replaceCollection(folder, { name: 'old', by: 'new' })
    for (const call of [() => old.records(), () => old.search(unitVector(1), { limit: 1 }), () => old.countPoints()]) {
      await expect(call()).rejects.toMatchObject({ code: 'store-gone', remedy: 'Run the same command again' })
    }
    await rm(folder, { recursive: true })
  })

  test('in a folder leaves nothing behind once it is done', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vidgrep-replace-'))
    for (const [collection, create] of [
      ['old', { model, dimension }],
      ['new', other],
    ] as const) {
      await (await openStore(folder, { collection, create })).close()
    }
    await replaceCollection(folder, { name: 'old', by: 'new' })
    expect(await readdir(join(folder, 'old'))).toEqual(['collection.json'])
    expect((await readdir(folder)).sort()).toEqual(['new', 'old'])
    await rm(folder, { recursive: true })
  })
})
