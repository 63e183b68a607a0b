import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VidgrepError } from '../../src/errors.ts'
import { pointId } from '../../src/store/point.ts'
import { countFromStart, type MigrationStep } from '../../src/store/schema.ts'
import {
  CollectionMissingError,
  InvalidPointError,
  ModelMismatchError,
  type OpenStore,
  type Point,
  SchemaTooNewError,
  type Store,
  schemaVersion,
  type VideoRecord,
} from '../../src/store/store.ts'
import { cosine, dimension, model, putRecord, samplePoint, sampleRecord, unitVector } from './samples.ts'

/** A place that holds collections, empty at first: a folder, or a server with names nobody else uses. */
export type Place = {
  open(options: OpenStore): Promise<Store>
  /** Makes an existing collection look as if it had been written with this schema version. */
  plantSchemaVersion(collection: string, version: number): Promise<void>
  /** Called once, after every store was closed. */
  remove(): Promise<void>
}

/** What every store has to do, whatever stands behind it. */
export const storeContract = (name: string, makePlace: () => Promise<Place>): void => {
  describe(`${name} keeps the contract of a store`, () => {
    let place: Place
    let made = 0
    const opened: Store[] = []

    const open = async (options: OpenStore): Promise<Store> => {
      const store = await place.open(options)
      opened.push(store)
      return store
    }
    const freshName = () => `contract-${++made}_${Math.random().toString(36).slice(2, 8)}`
    const fresh = (collection = freshName()) => open({ collection, create: { model, dimension } })
    const filled = async (points: readonly Point[]) => {
      const store = await fresh()
      await store.upsert(points)
      return store
    }
    const foundIds = async (store: Store, ...[vector, options]: Parameters<Store['search']>) =>
      (await store.search(vector, options)).map(({ id }) => id)

    beforeAll(async () => {
      place = await makePlace()
    })
    afterAll(async () => {
      await Promise.all(opened.map((store) => store.close()))
      await place?.remove()
    })

    describe('collections', () => {
      test('a collection is created once and found again with its facts, points and records', async () => {
        const store = await filled([samplePoint(1)])
        await putRecord(store, sampleRecord('a'))
        const again = await open({ collection: store.collection.name })
        expect(again.collection).toEqual({ name: store.collection.name, model, dimension, schemaVersion })
        expect(again.location).toBe(store.location)
        expect(await again.countPoints()).toBe(1)
        expect(await again.record('a')).toEqual(sampleRecord('a'))
        const created = await fresh(store.collection.name)
        expect(await created.countPoints()).toBe(1)
      })

      test('a missing collection is refused with the names of those that exist', async () => {
        const { collection } = await fresh()
        const failure = await open({ collection: 'nowhere' }).catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(CollectionMissingError)
        expect((failure as Error).message).toContain('"nowhere"')
        expect((failure as Error).message).toContain(collection.name)
      })

      test('two that create the same collection at once both get it', async () => {
        const collection = freshName()
        const stores = await Promise.all(Array.from({ length: 4 }, () => fresh(collection)))
        await Promise.all(stores.map((store, i) => store.upsert([samplePoint(i)])))
        for (const store of stores) expect(await store.countPoints()).toBe(4)
      })

      test('collections of one place do not see each other', async () => {
        const [one, other] = [await filled([samplePoint(1)]), await fresh()]
        await putRecord(one, sampleRecord('a'))
        expect(await other.countPoints()).toBe(0)
        expect(await other.records()).toEqual([])
      })

      test('another model, or another dimension of the same model, is refused with what to do', async () => {
        const { collection } = await fresh()
        const other = await open({ collection: collection.name, create: { model: 'other@1', dimension } }).catch(
          (error: unknown) => error,
        )
        expect(other).toBeInstanceOf(ModelMismatchError)
        expect((other as ModelMismatchError).message).toContain(model)
        expect((other as ModelMismatchError).remedy).toMatch(/vidgrep reindex .* or .*--collection NAME/)
        await expect(
          open({ collection: collection.name, create: { model, dimension: dimension + 1 } }),
        ).rejects.toBeInstanceOf(ModelMismatchError)
      })

      test('a collection of a newer schema is refused', async () => {
        const { collection } = await fresh()
        await place.plantSchemaVersion(collection.name, schemaVersion + 1)
        await expect(open({ collection: collection.name })).rejects.toBeInstanceOf(SchemaTooNewError)
        await expect(fresh(collection.name)).rejects.toBeInstanceOf(SchemaTooNewError)
      })

      test('a collection of schema 1 is read as it is, and brought up to date by the first one that writes', async () => {
        const store = await filled([
          samplePoint(0, { video: 'from 0', t: 0 }),
          ...[1, 2].map((seed) => samplePoint(seed, { video: 'from 0', t: 5000 + seed })),
          ...[3, 4].map((seed) => samplePoint(seed, { video: 'by a clock', t: 20_000 + seed })),
        ])
        const records = ['by a clock', 'from 0'].map((video) => sampleRecord(video, { run: 'one' }))
        for (const record of records) await putRecord(store, record)
        const { name } = store.collection
        await place.plantSchemaVersion(name, 1)
        const reader = await open({ collection: name })
        expect(reader.collection.schemaVersion).toBe(1)
        expect(await reader.search(unitVector(1), { limit: 9 })).toHaveLength(5)
        expect(await reader.records()).toEqual(records)

        const steps: string[] = []
        const onMigrated = (step: MigrationStep) => void steps.push(step.name)
        const create = { model, dimension }
        for (const _ of ['once', 'and again']) {
          expect((await open({ collection: name, create, onMigrated })).collection.schemaVersion).toBe(schemaVersion)
        }
        expect(steps).toEqual([countFromStart.name])
        const [marked, kept] = await reader.records()
        expect(marked).toMatchObject({ video: 'by a clock', status: 'partial', settings: '' })
        expect(marked).not.toHaveProperty('run')
        expect(kept).toEqual(records[1])
        expect(await reader.countPoints()).toBe(5)
        expect((await open({ collection: name })).collection.schemaVersion).toBe(schemaVersion)
      })

      test.each(['', 'two words', '../up', 'a/b', 'naïve', 'new\nline', 'a.b', 'x'.repeat(300)])(
        'the name %j is no name of a collection',
        async (collection) => {
          const failure = await open({ collection, create: { model, dimension } }).catch((error: unknown) => error)
          expect(failure).toBeInstanceOf(VidgrepError)
          expect((failure as VidgrepError).code).toBe('usage')
        },
      )

      test('describe gives facts that can be printed', async () => {
        const facts = await (await filled([samplePoint(1)])).describe()
        expect(facts).toMatchObject({ points: 1 })
        expect(Object.keys(facts)).toEqual(expect.arrayContaining(['engine', 'version', 'exact']))
      })
    })

    describe('points', () => {
      test('points come back with all of their payload and the exact cosine', async () => {
        const points = Array.from({ length: 40 }, (_, i) => samplePoint(i))
        const store = await filled(points)
        const query = unitVector(999)
        const hits = await store.search(query, { limit: 40 })
        const expected = points.map((point) => ({ point, similarity: cosine(point.vector, query) }))
        expected.sort((a, b) => b.similarity - a.similarity)
        expect(hits.map(({ id }) => id)).toEqual(expected.map(({ point }) => point.id))
        for (const [i, hit] of hits.entries()) {
          const { vector: _, box, ...payload } = expected[i]!.point
          const { similarity, box: foundBox, ...found } = hit
          expect(found).toEqual(payload)
          expect(Math.abs(similarity - expected[i]!.similarity)).toBeLessThan(1e-4)
          for (const [side, fraction] of box.entries()) expect(foundBox[side]).toBeCloseTo(fraction, 6)
        }
      })

      test('search gives the best ones only, as many as asked for', async () => {
        const store = await filled(Array.from({ length: 40 }, (_, i) => samplePoint(i)))
        const all = await foundIds(store, unitVector(7), { limit: 40 })
        expect(all[0]).toBe(samplePoint(7).id)
        expect(await foundIds(store, unitVector(7), { limit: 5 })).toEqual(all.slice(0, 5))
        expect(await foundIds(store, unitVector(7), { limit: 1 })).toEqual(all.slice(0, 1))
      })

      test('a limit beyond the collection gives all of it', async () => {
        const store = await filled([samplePoint(1), samplePoint(2)])
        expect(await store.search(unitVector(1), { limit: 5000 })).toHaveLength(2)
      })

      test('equally good points come by id, also where the limit cuts them', async () => {
        const twins = Array.from({ length: 12 }, (_, i) => samplePoint(i, { vector: unitVector(5) }))
        const store = await filled([...twins, ...Array.from({ length: 12 }, (_, i) => samplePoint(100 + i))])
        const ids = twins.map(({ id }) => id).sort()
        expect(await foundIds(store, unitVector(5), { limit: 12 })).toEqual(ids)
        expect(await foundIds(store, unitVector(5), { limit: 3 })).toEqual(ids.slice(0, 3))
      })

      test('similarities reach from −1 to 1', async () => {
        const opposite = samplePoint(1, { vector: unitVector(1).map((x) => -x) })
        const store = await filled([opposite, samplePoint(2, { vector: unitVector(1) })])
        const [best, worst] = await store.search(unitVector(1), { limit: 2 })
        expect(best!.similarity).toBeCloseTo(1, 5)
        expect(worst!.similarity).toBeCloseTo(-1, 5)
        expect(best!.similarity).toBeLessThanOrEqual(1)
        expect(worst!.similarity).toBeGreaterThanOrEqual(-1)
      })

      test('searching an empty collection gives nothing', async () => {
        expect(await (await fresh()).search(unitVector(1), { limit: 10 })).toEqual([])
      })

      test('writing no points changes nothing', async () => {
        const store = await filled([])
        expect(await store.countPoints()).toBe(0)
      })

      test('a point with a known id is replaced, the others stay', async () => {
        const store = await filled([samplePoint(1), samplePoint(2)])
        const changed = { ...samplePoint(1), vector: unitVector(50), path: '/moved.mp4', until: 99 }
        await store.upsert([changed, samplePoint(3)])
        expect(await store.countPoints()).toBe(3)
        const [hit] = await store.search(unitVector(50), { limit: 1 })
        expect(hit).toMatchObject({ id: changed.id, path: '/moved.mp4', until: 99 })
      })

      test('of a point twice in one batch, the last one stands', async () => {
        const store = await filled([samplePoint(1), samplePoint(2), { ...samplePoint(1), until: 77 }])
        expect(await store.countPoints()).toBe(2)
        const [hit] = await store.search(unitVector(1), { limit: 1 })
        expect(hit).toMatchObject({ id: samplePoint(1).id, until: 77 })
      })

      test('thousands of points go in at once', async () => {
        const points = Array.from({ length: 2500 }, (_, i) => samplePoint(i))
        const store = await filled(points)
        expect(await store.countPoints()).toBe(2500)
        expect(await foundIds(store, points[2499]!.vector, { limit: 1 })).toEqual([points[2499]!.id])
        expect((await store.points(points.map(({ id }) => id))).size).toBe(2500)
      })

      test('pointIds are those of the video, and no others', async () => {
        const mine = [samplePoint(1, { video: 'a' }), samplePoint(2, { video: 'a' })]
        const store = await filled([...mine, samplePoint(3, { video: 'b' })])
        expect(await store.pointIds('a')).toEqual(new Set(mine.map(({ id }) => id)))
        expect(await store.pointIds('none')).toEqual(new Set())
      })

      test('pointIds are complete for a long video', async () => {
        const store = await filled(Array.from({ length: 3000 }, (_, i) => samplePoint(i, { video: 'long' })))
        expect((await store.pointIds('long')).size).toBe(3000)
      })

      test('points come back as they were written, for the ids that exist', async () => {
        const store = await filled([samplePoint(1), samplePoint(2)])
        const missing = samplePoint(3).id
        const points = await store.points([samplePoint(2).id, missing, samplePoint(1).id])
        expect([...points.keys()].sort()).toEqual([samplePoint(1).id, samplePoint(2).id].sort())
        const { box: _, ...written } = samplePoint(1)
        expect(points.get(written.id)).toMatchObject(written)
        expect(points.get(samplePoint(2).id)!.vector).toBeInstanceOf(Float32Array)
        expect(await store.points([])).toEqual(new Map())
      })

      test('a scan gives points as they were written, however many', async () => {
        const points = Array.from({ length: 600 }, (_, i) => samplePoint(i))
        const store = await filled(points)
        const found = new Map<string, Point>()
        for await (const point of store.scan({})) found.set(point.id, point)
        expect(found.size).toBe(600)
        for (const { box, ...point } of points) {
          const { box: foundBox, ...rest } = found.get(point.id)!
          expect(rest).toEqual(point)
          for (const [side, fraction] of box.entries()) expect(foundBox[side]).toBeCloseTo(fraction, 6)
        }
        for await (const point of store.scan({})) {
          expect(found.has(point.id)).toBe(true)
          break
        }
        const gone = new AbortController()
        gone.abort(new Error('enough'))
        await expect(store.scan({}, { signal: gone.signal }).next()).rejects.toThrow('enough')
      })

      test('points are counted, all of them or those of a video', async () => {
        const store = await filled([1, 2, 3].map((seed) => samplePoint(seed, { video: seed < 3 ? 'a' : 'b' })))
        expect(await store.countPoints()).toBe(3)
        expect(await store.countPoints('a')).toBe(2)
        expect(await store.countPoints('none')).toBe(0)
      })

      test('setPath moves the points of one video', async () => {
        const store = await filled([1, 2, 3].map((seed) => samplePoint(seed, { video: seed < 3 ? 'a' : 'b' })))
        await store.setPath('a', awkwardPath)
        const hits = await store.search(unitVector(1), { limit: 3 })
        for (const { video, path } of hits) expect(path).toBe(video === 'a' ? awkwardPath : samplePoint(3).path)
        expect(hits[0]!.similarity).toBeCloseTo(1, 5)
        await store.setPath('none', '/x.mp4')
        expect(await store.countPoints()).toBe(3)
      })

      test('deleting a video takes its points and its record, and leaves the others', async () => {
        const store = await filled([1, 2, 3].map((seed) => samplePoint(seed, { video: seed < 3 ? "a'b" : 'b' })))
        await putRecord(store, sampleRecord("a'b"))
        await putRecord(store, sampleRecord('b'))
        await store.deleteVideo("a'b")
        expect(await store.countPoints("a'b")).toBe(0)
        expect(await store.record("a'b")).toBeUndefined()
        expect(await store.countPoints()).toBe(1)
        expect(await store.record('b')).toBeDefined()
        await store.deletePoints('never there')
        await store.deleteVideo('never there')
        expect(await store.countPoints()).toBe(1)
      })

      test('what another store of the same collection wrote is seen at once', async () => {
        const writer = await fresh()
        const reader = await open({ collection: writer.collection.name })
        expect(await reader.search(unitVector(1), { limit: 1 })).toEqual([])
        await writer.upsert([samplePoint(1)])
        expect(await foundIds(reader, unitVector(1), { limit: 1 })).toEqual([samplePoint(1).id])
        await writer.deleteVideo(samplePoint(1).video)
        expect(await reader.countPoints()).toBe(0)
      })

      test('points are all there, and found, after housekeeping', async () => {
        const store = await fresh()
        for (let i = 0; i < 10; i++) await store.upsert([samplePoint(i), samplePoint(i + 100)])
        const before = await foundIds(store, unitVector(3), { limit: 20 })
        await store.optimize()
        await store.optimize()
        expect(before).toHaveLength(20)
        expect(await foundIds(store, unitVector(3), { limit: 20 })).toEqual(before)
      })
    })

    describe('filters', () => {
      const points = [
        samplePoint(1, { video: 'a', t: 0, until: 4 }),
        samplePoint(2, { video: 'a', t: 5, until: 5, patch: 0 }),
        samplePoint(3, { video: 'b', t: 0.5, until: 0.5 }),
        samplePoint(4, { video: 'b', t: 9.04, until: 10.04, patch: 0 }),
        samplePoint(5, { video: 'c', t: 5, until: 5 }),
      ]
      const records = [
        sampleRecord('a', { files: ['/v/a.mp4', '/copy/a.mp4'].map(file) }),
        sampleRecord('b', { files: [file('/v/b.mp4')] }),
        sampleRecord('c', { files: [file('/v/c.mp4')] }),
      ]
      let store: Store
      beforeAll(async () => {
        store = await filled(points)
        for (const record of records) await putRecord(store, record)
      })

      test.each([
        ['no condition', {}, [1, 2, 3, 4, 5]],
        ['undefined conditions', { videos: undefined, afterSeconds: undefined, outside: undefined }, [1, 2, 3, 4, 5]],
        ['one video', { videos: ['a'] }, [1, 2]],
        ['two videos, one of them twice', { videos: ['a', 'c', 'c'] }, [1, 2, 5]],
        ['an unknown video', { videos: ['z'] }, []],
        ['no video', { videos: [] }, []],
        ['all videos but one, and one that is unknown', { exceptVideos: ['a', 'z'] }, [3, 4, 5]],
        ['all videos but none', { exceptVideos: [] }, [1, 2, 3, 4, 5]],
        ['whole frames', { patch: 0 }, [2, 4]],
        ['a patch of one video', { patch: 0, videos: ['a'] }, [2]],
        ['after, where a patch stays in view', { afterSeconds: 4 }, [1, 2, 4, 5]],
        ['after, exclusive of what has gone', { afterSeconds: 4.001 }, [2, 4, 5]],
        ['before, inclusive', { beforeSeconds: 0.5 }, [1, 3]],
        ['a time at full precision', { afterSeconds: 10.04, beforeSeconds: 9.04 }, [4]],
        ['a range', { afterSeconds: 3, beforeSeconds: 6 }, [1, 2, 5]],
        ['an empty range', { afterSeconds: 6, beforeSeconds: 6 }, []],
        ['a range within a video', { videos: ['a', 'b'], afterSeconds: 3, beforeSeconds: 6 }, [1, 2]],
        ['outside nothing', { outside: [] }, [1, 2, 3, 4, 5]],
        ['outside a stretch of a video', { outside: [{ video: 'a', from: 4.5, to: 6 }] }, [1, 3, 4, 5]],
        [
          'outside a stretch that something reaches into',
          { outside: [{ video: 'a', from: 4, to: 4.5 }] },
          [2, 3, 4, 5],
        ],
        [
          'outside two stretches',
          {
            outside: [
              { video: 'b', from: 0, to: 20 },
              { video: 'c', from: 5, to: 5 },
            ],
          },
          [1, 2],
        ],
        [
          'outside a stretch, within a range',
          { afterSeconds: 3, outside: [{ video: 'a', from: 5, to: 5 }] },
          [1, 4, 5],
        ],
        ['within no stretch', { within: [] }, []],
        [
          'within two stretches',
          {
            within: [
              { video: 'a', from: 4, to: 4.5 },
              { video: 'b', from: 9, to: 20 },
            ],
          },
          [1, 4],
        ],
        [
          'within a stretch, outside another, whole frames',
          {
            patch: 0,
            within: [
              { video: 'a', from: 0, to: 9 },
              { video: 'b', from: 0, to: 20 },
            ],
            outside: [{ video: 'a', from: 5, to: 5 }],
          },
          [4],
        ],
        ['tiny and huge times', { afterSeconds: 1e-7, beforeSeconds: 1e21 }, [1, 2, 3, 4, 5]],
      ])('%s', async (_, filter, seeds) => {
        const hits = await store.search(unitVector(1), { limit: 10, filter })
        const ids = hits.map(({ id }) => id)
        expect(new Set(ids)).toEqual(new Set(seeds.map((seed) => points[seed - 1]!.id)))
        expect(ids).toHaveLength(seeds.length)
        const scanned: string[] = []
        for await (const { id } of store.scan(filter)) scanned.push(id)
        expect(scanned.sort()).toEqual([...ids].sort())
        const seen = hits.map(({ id, video, t, until, similarity }) => ({ id, video, t, until, similarity }))
        expect(await store.sightings(unitVector(1), { limit: 10, filter })).toEqual(seen)
      })

      test('ten thousand videos are searched among as well as one', async () => {
        const videos = Array.from({ length: 10_000 }, (_, i) => `sha256-${i}-0123456789abcdef0123456789abcdef`)
        const ids = await foundIds(store, unitVector(1), { limit: 10, filter: { videos: [...videos, 'b'] } })
        expect(new Set(ids)).toEqual(new Set([points[2]!.id, points[3]!.id]))
      })

      test('the limit counts what the filter leaves', async () => {
        const ids = await foundIds(store, unitVector(1), { limit: 2, filter: { videos: ['b', 'c'] } })
        expect(ids).toHaveLength(2)
      })

      test('awkward paths and names are stored and found as they are', async () => {
        const video = `quote ' " \\ ${awkwardPath}`
        const odd = await filled([samplePoint(1, { video, path: awkwardPath }), samplePoint(2)])
        await putRecord(odd, sampleRecord(video, { files: [file(awkwardPath)] }))
        const hits = await odd.search(unitVector(1), { limit: 10, filter: { videos: [video] } })
        expect(hits).toMatchObject([{ path: awkwardPath, video }])
        const outside = [{ video, from: 0, to: 9 }]
        expect(await odd.search(unitVector(1), { limit: 10, filter: { outside } })).toMatchObject([
          { video: 'video-a' },
        ])
        expect(await odd.countPoints(video)).toBe(1)
        expect((await odd.pointIds(video)).size).toBe(1)
        expect(await odd.record(video)).toMatchObject({ video, files: [{ path: awkwardPath }] })
        await odd.deleteVideo("x' OR 'x'='x")
        expect(await odd.countPoints()).toBe(2)
      })

      test('hundreds of videos may be asked for at once', async () => {
        const many = await filled(Array.from({ length: 600 }, (_, i) => samplePoint(i, { video: `video-${i}` })))
        const videos = Array.from({ length: 500 }, (_, i) => `video-${i}`)
        expect(await many.search(unitVector(1), { limit: 1000, filter: { videos } })).toHaveLength(500)
      })
    })

    describe('records', () => {
      const full: VideoRecord = {
        ...sampleRecord('full'),
        status: 'partial',
        reason: `ended at 3.2 s: "moov" isn't there\n${awkwardPath}`,
        durationSeconds: 12.345678901,
        width: 1920,
        height: 1080,
      }

      test('a record comes back as it was written, with and without what is optional', async () => {
        const store = await fresh()
        const bare = sampleRecord('bare')
        await putRecord(store, full)
        await putRecord(store, bare)
        expect(await store.record('full')).toEqual(full)
        expect(await store.record('bare')).toEqual(bare)
        expect(Object.keys((await store.record('bare'))!).sort()).toEqual(Object.keys(bare).sort())
        expect(await store.record('none')).toBeUndefined()
      })

      test('a record of a video without a file or a point is kept too', async () => {
        const store = await fresh()
        const record = sampleRecord('gone', { status: 'failed', reason: '', files: [], frames: 0, points: 0 })
        await putRecord(store, record)
        expect(await store.record('gone')).toEqual(record)
      })

      test('a record is replaced by the next one of its video', async () => {
        const store = await fresh()
        await putRecord(store, full)
        const next = sampleRecord('full', { files: [file('/new.mp4'), file('/newer.mp4')] })
        await putRecord(store, next)
        expect(await store.records()).toEqual([next])
      })

      test('records are listed by video, however many', async () => {
        const store = await fresh()
        expect(await store.records()).toEqual([])
        const names = Array.from({ length: 120 }, (_, i) => `v${(i * 37) % 120}`)
        for (let i = 0; i < names.length; i += 20) {
          await Promise.all(names.slice(i, i + 20).map((video) => putRecord(store, sampleRecord(video))))
        }
        expect((await store.records()).map(({ video }) => video)).toEqual([...names].sort())
        const some = [names.at(-1)!, 'unknown', names[0]!]
        expect((await store.records({ videos: some })).map(({ video }) => video)).toEqual(
          [names[0]!, names.at(-1)!].sort(),
        )
        expect(await store.records({ videos: [] })).toEqual([])
      })

      test('a record is changed as it is now, left alone where nothing is made of it, made where there is none', async () => {
        const store = await fresh()
        const added = await store.changeRecord('a', (record) => record ?? sampleRecord('a'))
        expect(added).toEqual(sampleRecord('a'))
        await putRecord(store, sampleRecord('a', { frames: 11 }))
        const changed = await store.changeRecord('a', (record) => record && { ...record, points: record.frames })
        expect(changed).toEqual(sampleRecord('a', { frames: 11, points: 11 }))
        expect(await store.record('a')).toEqual(changed)
        expect(await store.changeRecord('a', () => undefined)).toBeUndefined()
        expect(await store.records()).toEqual([changed])
        await store.deleteVideo('a')
        expect(await store.changeRecord('a', (record) => record)).toBeUndefined()
        expect(await store.records()).toEqual([])
      })

      test('a record does not count as a point, nor a point as a record', async () => {
        const store = await filled([samplePoint(1)])
        await putRecord(store, full)
        expect(await store.countPoints()).toBe(1)
        expect(await store.records()).toHaveLength(1)
      })
    })

    describe('what cannot be searched is not written', () => {
      const spoilt = (at: number, value: number) => unitVector(2).map((x, i) => (i === at ? value : x))
      test.each([
        ['NaN in the vector', { vector: spoilt(0, Number.NaN) }],
        ['infinity in the vector', { vector: spoilt(3, Number.POSITIVE_INFINITY) }],
        ['a zero vector', { vector: new Float32Array(dimension) }],
        ['a vector of length 2', { vector: unitVector(2).map((x) => 2 * x) }],
        ['a vector too short', { vector: unitVector(2, dimension - 1) }],
        ['a vector too long', { vector: unitVector(2, dimension + 1) }],
        ['an empty vector', { vector: new Float32Array(0) }],
        ['a time that is no number', { t: Number.NaN }],
        ['an endless patch', { until: Number.POSITIVE_INFINITY }],
      ])('%s spoils its whole batch', async (_, spoil) => {
        const store = await filled([samplePoint(1)])
        const batch = [samplePoint(2), samplePoint(3, spoil), samplePoint(1, { until: 5000 })]
        await expect(store.upsert(batch)).rejects.toBeInstanceOf(InvalidPointError)
        expect(await store.countPoints()).toBe(1)
        const [hit] = await store.search(unitVector(1), { limit: 1 })
        expect(hit!.until).toBe(samplePoint(1).until)
      })

      test('a query is held to the same rule', async () => {
        const store = await filled([samplePoint(1)])
        for (const query of [new Float32Array(dimension), spoilt(1, Number.NaN), unitVector(1, dimension + 1)]) {
          await expect(store.search(query, { limit: 1 })).rejects.toBeInstanceOf(InvalidPointError)
        }
      })
    })

    describe('several at once', () => {
      test('two writers of overlapping points lose and double nothing', async () => {
        const collection = freshName()
        const writers = [await fresh(collection), await fresh(collection)]
        const write = async (store: Store, first: number) => {
          for (let at = first; at < first + 200; at += 25) {
            await store.upsert(Array.from({ length: 25 }, (_, i) => samplePoint(at + i)))
          }
        }
        await Promise.all([write(writers[0]!, 0), write(writers[1]!, 100)])
        expect(await writers[0]!.countPoints()).toBe(300)
        const ids = new Set((await writers[1]!.search(unitVector(1), { limit: 1000 })).map(({ id }) => id))
        expect(ids).toEqual(new Set(Array.from({ length: 300 }, (_, i) => samplePoint(i).id)))
      })

      test('many calls on one store at once all take effect', async () => {
        const store = await fresh()
        await Promise.all(
          Array.from({ length: 16 }, async (_, i) => {
            await store.upsert([samplePoint(i, { video: `v${i % 4}` }), samplePoint(1000, { video: 'same' })])
            await putRecord(store, sampleRecord(`v${i % 4}`))
          }),
        )
        expect(await store.countPoints()).toBe(17)
        expect(await store.records()).toHaveLength(4)
      })

      test('changes that several make to one record at once all take effect', async () => {
        const { collection } = await fresh()
        const stores = await Promise.all([1, 2, 3].map(() => open({ collection: collection.name })))
        const paths = stores.map((_, i) => Array.from({ length: 8 }, (_, j) => `/${i}/${j}.mp4`))
        await Promise.all(
          stores.map(async (store, i) => {
            for (const path of paths[i]!) {
              await store.changeRecord('a', (record = sampleRecord('a', { files: [] })) => {
                const others = record.files.filter((file) => file.path !== path)
                return { ...record, files: [...others, { path, bytes: 1, modifiedMs: 1 }] }
              })
            }
          }),
        )
        const files = (await stores[0]!.record('a'))?.files.map(({ path }) => path)
        expect(files?.toSorted()).toEqual(paths.flat().sort())
      })

      test('the number of the records is another one after what either store does to one, where there is a number', async () => {
        const collection = freshName()
        const [one, other] = [await fresh(collection), await fresh(collection)]
        const numbers = [await one.recordsVersion?.()]
        await putRecord(other, sampleRecord('a'))
        numbers.push(await one.recordsVersion?.())
        await putRecord(one, sampleRecord('a', { frames: 11 }))
        numbers.push(await one.recordsVersion?.())
        await one.records()
        expect(await one.recordsVersion?.()).toBe(numbers.at(-1))
        await other.deleteVideo('a')
        numbers.push(await one.recordsVersion?.())
        expect(new Set(numbers).size).toBe(one.recordsVersion ? 4 : 1)
      })

      test('records and deletions of two stores do not undo each other', async () => {
        const collection = freshName()
        const [one, other] = [await fresh(collection), await fresh(collection)]
        await one.upsert([samplePoint(1, { video: 'a' }), samplePoint(2, { video: 'b' })])
        await putRecord(one, sampleRecord('a'))
        await Promise.all([
          one.deleteVideo('a'),
          putRecord(other, sampleRecord('b')),
          other.upsert([samplePoint(3, { video: 'c' })]),
          one.setPath('b', '/b2.mp4'),
        ])
        expect((await one.records()).map(({ video }) => video)).toEqual(['b'])
        const hits = await other.search(unitVector(2), { limit: 5 })
        expect(hits.map(({ video }) => video).sort()).toEqual(['b', 'c'])
        expect(hits.find(({ video }) => video === 'b')!.path).toBe('/b2.mp4')
      })
    })

    describe('a run that writes a video', () => {
      const begun = (run: string) => (record?: VideoRecord) => ({
        ...(record ?? sampleRecord('a')),
        status: 'partial' as const,
        run,
      })
      /** What a run does at its end. */
      const completed = (run: string) => (record?: VideoRecord) =>
        record?.run === run ? { ...record, status: 'complete' as const } : undefined

      test('completes it, keeps its id in the record, and may do so twice', async () => {
        const store = await fresh()
        await store.changeRecord('a', begun('one'))
        for (const _ of ['once', 'and again']) await store.changeRecord('a', completed('one'))
        expect(await store.record('a')).toEqual(sampleRecord('a', { run: 'one' }))
      })

      test('does not when another one began since', async () => {
        const store = await fresh()
        await store.changeRecord('a', begun('one'))
        await store.changeRecord('a', begun('two'))
        expect(await store.changeRecord('a', completed('one'))).toBeUndefined()
        expect(await store.record('a')).toMatchObject({ status: 'partial', run: 'two' })
      })

      test('does not after the video was removed, whoever else writes', async () => {
        const collection = freshName()
        const [one, other] = [await fresh(collection), await fresh(collection)]
        await one.changeRecord('a', begun('one'))
        await one.upsert([samplePoint(1, { video: 'a' })])
        await other.deleteVideo('a')
        await one.upsert([samplePoint(2, { video: 'a' })])
        expect(await one.changeRecord('a', completed('one'))).toBeUndefined()
        expect(await other.record('a')).toBeUndefined()
      })

      test('never leaves it complete with points missing, however it and a removal meet', async () => {
        const collection = freshName()
        const [one, other] = [await fresh(collection), await fresh(collection)]
        for (let round = 0; round < 12; round++) {
          const [run, seeds] = [`run ${round}`, [0, 1, 2, 3]]
          const indexing = async () => {
            await one.changeRecord('a', begun(run))
            const stored = await one.pointIds('a')
            for (const point of seeds.map((seed) => samplePoint(seed, { video: 'a' }))) {
              if (!stored.has(point.id)) await one.upsert([point])
            }
            await one.changeRecord('a', completed(run))
          }
          const removal = async () => {
            for (let turn = 0; turn < round; turn++) await other.countPoints()
            await other.deleteVideo('a')
          }
          await Promise.all([indexing(), removal()])
          if ((await one.record('a'))?.status === 'complete') expect(await one.countPoints('a')).toBe(seeds.length)
        }
      })
    })

    describe('signals', () => {
      test('a call with an aborted signal is rejected with its reason and writes nothing', async () => {
        const store = await filled([samplePoint(1, { video: 'a' })])
        const reason = new Error('enough')
        const signal = AbortSignal.abort(reason)
        const calls = [
          () => store.upsert([samplePoint(2)], { signal }),
          () => store.search(unitVector(1), { limit: 1, signal }),
          () => store.pointIds('a', { signal }),
          () => store.points([samplePoint(1).id], { signal }),
          () => store.setPath('a', '/never.mp4', { signal }),
          () => store.deleteVideo('a', { signal }),
          () => store.countPoints(undefined, { signal }),
          () => putRecord(store, sampleRecord('z'), { signal }),
          () => store.record('z', { signal }),
          () => store.records({ signal }),
          () => store.optimize({ signal }),
        ]
        for (const call of calls) await expect(call()).rejects.toBe(reason)
        expect(await foundIds(store, unitVector(1), { limit: 5 })).toEqual([samplePoint(1).id])
        expect(await store.records()).toEqual([])
      })

      test('opening with an aborted signal is rejected and creates nothing', async () => {
        const collection = freshName()
        const signal = AbortSignal.abort(new Error('enough'))
        await expect(open({ collection, create: { model, dimension }, signal })).rejects.toThrow('enough')
        await expect(open({ collection })).rejects.toBeInstanceOf(CollectionMissingError)
      })
    })

    test('a store may be closed twice', async () => {
      const store = await fresh()
      await store.close()
      await store.close()
    })

    test('ids of the same patch are the same in every store', async () => {
      const id = pointId('a', model, 1.5, 3)
      const store = await filled([samplePoint(1, { id })])
      expect(await foundIds(store, unitVector(1), { limit: 1 })).toEqual([id])
    })
  })
}

const awkwardPath = '/vidéos/it\'s "100%" 猫\\n\n%03d\t\u{1F600}/-x http:y.mp4'

function file(path: string) {
  return { path, bytes: 12_345_678_901, modifiedMs: 1_764_000_000_123.5 }
}
