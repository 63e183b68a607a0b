import type { Table } from '@lancedb/lancedb'
import * as arrow from 'apache-arrow'
import type { Point, VideoRecord } from '../store.ts'
import type { Engine } from './engine.ts'
import { pointKey, pointsTable, videoKey, videosTable } from './points.ts'

const pointSchema = (dimension: number) =>
  new arrow.Schema([
    new arrow.Field('id', new arrow.Utf8(), false),
    new arrow.Field('video', new arrow.Utf8(), false),
    new arrow.Field('path', new arrow.Utf8(), false),
    new arrow.Field('t', new arrow.Float64(), false),
    new arrow.Field('until', new arrow.Float64(), false),
    new arrow.Field('patch', new arrow.Int32(), false),
    new arrow.Field('box', listOf(4), false),
    new arrow.Field('vector', listOf(dimension), false),
  ])

/** A record is kept as JSON: what is optional stays absent, and no later field needs another schema. */
const videoSchema = new arrow.Schema([
  new arrow.Field('video', new arrow.Utf8(), false),
  new arrow.Field('record', new arrow.Utf8(), false),
])

const listOf = (length: number) => new arrow.FixedSizeList(length, new arrow.Field('item', new arrow.Float32(), true))

/** Makes both tables, empty, in a folder of their own. */
export const createTables = async (engine: Engine, folder: string, dimension: number): Promise<void> => {
  const database = await engine.connect(folder)
  try {
    const points = await database.createEmptyTable(pointsTable, pointSchema(dimension))
    await points.setUnenforcedPrimaryKey(pointKey)
    // Without it every upsert reads the ids of all points: 30 ms at 300,000 of them, 8 ms with it.
    await points.createIndex('id', { config: engine.Index.btree() })
    await points.createIndex('video', { config: engine.Index.btree() })
    const videos = await database.createEmptyTable(videosTable, videoSchema)
    await videos.setUnenforcedPrimaryKey(videoKey)
  } finally {
    database.close()
  }
}

/** Replaces the rows with these keys, inserts the others; in one commit. */
export const replaceRows = async (table: Table, key: string, rows: arrow.Table): Promise<void> => {
  await table.mergeInsert(key).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows)
}

/** Rows of the points table; of points with the same id the last one. */
export const pointRows = (points: readonly Point[], dimension: number): arrow.Table => {
  const rows = [...new Map(points.map((point) => [point.id, point])).values()]
  return tableOf(pointSchema(dimension), rows.length, [
    texts(rows.map(({ id }) => id)),
    texts(rows.map(({ video }) => video)),
    texts(rows.map(({ path }) => path)),
    numbers(
      new arrow.Float64(),
      Float64Array.from(rows, ({ t }) => t),
    ),
    numbers(
      new arrow.Float64(),
      Float64Array.from(rows, ({ until }) => until),
    ),
    numbers(
      new arrow.Int32(),
      Int32Array.from(rows, ({ patch }) => patch),
    ),
    lists(rows.map(({ box }) => box)),
    lists(rows.map(({ vector }) => vector)),
  ])
}

export const videoRows = (record: VideoRecord): arrow.Table =>
  tableOf(videoSchema, 1, [texts([record.video]), texts([JSON.stringify(record)])])

const tableOf = (schema: arrow.Schema, length: number, columns: arrow.Data[]): arrow.Table => {
  const rows = arrow.makeData({ type: new arrow.Struct(schema.fields), length, nullCount: 0, children: columns })
  return new arrow.Table(schema, [new arrow.RecordBatch(schema, rows)])
}

const texts = (values: readonly string[]): arrow.Data => {
  const bytes = values.map((value) => Buffer.from(value))
  const valueOffsets = new Int32Array(values.length + 1)
  for (const [i, { length }] of bytes.entries()) valueOffsets[i + 1] = valueOffsets[i]! + length
  const data = Buffer.concat(bytes)
  return arrow.makeData({ type: new arrow.Utf8(), length: values.length, nullCount: 0, valueOffsets, data })
}

const numbers = <T extends arrow.Float64 | arrow.Float32 | arrow.Int32>(type: T, data: T['TArray']): arrow.Data<T> =>
  new arrow.Data(type, 0, data.length, 0, { [arrow.BufferType.DATA]: data })

const lists = (values: readonly ArrayLike<number>[]): arrow.Data => {
  const width = values[0]?.length ?? 0
  const all = new Float32Array(values.length * width)
  for (const [i, value] of values.entries()) all.set(value, i * width)
  const child = numbers(new arrow.Float32(), all)
  return arrow.makeData({ type: listOf(width), length: values.length, nullCount: 0, child })
}
