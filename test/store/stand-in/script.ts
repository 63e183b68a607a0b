/** One request; `{name}` stands for a name that nobody else uses. */
export type Line = { readonly method: string; readonly path: string; readonly body?: unknown }

const id = (number: number): string => `5b3a1f3e-0000-5000-8000-${String(number).padStart(12, '0')}`
const points = (...list: unknown[]): unknown => ({ points: list })
const post = (path: string, body: unknown): Line => ({ method: 'POST', path: `/collections/{name}/${path}`, body })
const put = (path: string, body: unknown): Line => ({ method: 'PUT', path: `/collections/{name}${path}`, body })
const patch = (body: unknown): Line => ({ method: 'PATCH', path: '/collections/{name}', body })

const one = { id: id(1), vector: [1, 0, 0, 0], payload: { t: 1, path: '/a', files: [{ path: '/x' }, { path: '/y' }] } }
const two = { id: id(2), vector: [0, 3, 0, 4], payload: { t: 2.5, path: '/b' } }
const three = { id: id(3), vector: [-1, 0, 0, 0], payload: { t: 4, path: '/b' } }

/** What the store asks of a server, with the mistakes that it may make; answers to all of it are on record. */
export const script: readonly Line[] = [
  { method: 'GET', path: '/collections/{name}' },
  { method: 'GET', path: '/collections/{name}/exists' },
  put('/points?wait=true', points(one)),
  post('points/count', { exact: true }),
  put('', { vectors: { size: 4, distance: 'Cosine' } }),
  put('', { vectors: { size: 4, distance: 'Cosine' } }),
  { method: 'GET', path: '/collections/{name}/exists' },
  put('/index?wait=true', { field_name: 'path', field_schema: 'keyword' }),
  put('/index?wait=true', { field_name: 't', field_schema: 'float' }),
  put('/index?wait=true', { field_name: 't', field_schema: { type: 'float', enable_hnsw: false } }),
  post('points/query', { query: [1, 0, 0, 0], limit: 3, with_payload: true, params: { exact: true } }),
  put('/points?wait=true', points(one, two, three)),
  put('/points?wait=true', points({ ...one, payload: { t: 99 } }, { ...two, id: id(4) }) as object),
  put('/points?wait=true', { ...(points({ ...one, payload: { t: 7 } }) as object), update_mode: 'insert_only' }),
  ...[{ is_empty: { key: 't' } }, { key: 't', match: { value: 8 } }, { is_empty: { key: 'nothing' } }].flatMap(
    (condition, i) => [
      put('/points?wait=true', {
        ...(points({ ...one, payload: { t: 8 + i } }, { ...one, id: id(5) }) as object),
        update_mode: 'update_only',
        update_filter: { must: [condition] },
      }),
      post('points', { ids: [id(1), id(5)], with_payload: true }),
    ],
  ),
  put('/points?wait=true', points(one)),
  put('/points?wait=true', points()),
  put('/points?wait=true', points({ ...one, vector: [1, 0, 0] })),
  put('/points?wait=true', points({ ...one, id: 'not a uuid' })),
  { method: 'GET', path: '/collections/{name}' },
  post('points', { ids: [id(1), id(9), id(2)], with_payload: false, with_vector: true }),
  post('points', { ids: [id(1)], with_payload: true, with_vector: false }),
  post('points', { ids: [] }),
  post('points/scroll', { limit: 2, with_payload: false, with_vector: false }),
  post('points/scroll', { limit: 2, offset: id(3), with_payload: true }),
  post('points/scroll', { limit: 5, filter: { must_not: [{ has_id: [id(1)] }] } }),
  post('points/scroll', { limit: 5, filter: { must: [{ key: 'path', match: { any: [] } }] } }),
  post('points/count', { exact: true, filter: { must: [{ key: 'path', match: { value: '/b' } }] } }),
  post('points/query', { query: [0, 0, 0, 1], limit: 9, with_payload: true, params: { exact: true } }),
  post('points/query', { query: [1, 0, 0, 0], limit: 1, with_payload: false, params: { hnsw_ef: 64 } }),
  post('points/query', {
    query: [1, 0, 0, 0],
    limit: 9,
    filter: { must: [{ key: 't', range: { gte: 2.5, lte: 4 } }] },
  }),
  post('points/query', { query: [1, 0, 0], limit: 9 }),
  post('points/query', { query: [1, 0, 0, 0], limit: 0 }),
  post('points/payload?wait=true', {
    payload: { path: '/c' },
    filter: { must: [{ key: 'path', match: { value: '/b' } }] },
  }),
  post('points/payload?wait=true', { payload: { a: 'x' }, key: 'done', points: [id(1)] }),
  post('points/payload?wait=true', { payload: { b: 'y' }, key: 'done', points: [id(1)] }),
  post('points', { ids: [id(1), id(2)], with_payload: true }),
  post('points/payload?wait=true', { payload: { c: 'z' }, key: 'done', points: [id(9)] }),
  post('points', { ids: [id(1), id(2)], with_payload: ['done'] }),
  { method: 'GET', path: '/collections/{name}' },
  patch({
    vectors: { '': { on_disk: true } },
    quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
  }),
  { method: 'GET', path: '/collections/{name}' },
  post('points/delete?wait=true', { filter: { must: [{ key: 'path', match: { value: '/c' } }] } }),
  post('points/delete?wait=true', { points: [id(7)] }),
  post('points/count', { exact: true }),
  { method: 'GET', path: '/collections/{name}/nothing-here' },
  { method: 'GET', path: '/nothing-here' },
  { method: 'DELETE', path: '/collections/{name}' },
  { method: 'DELETE', path: '/collections/{name}' },
  patch({ hnsw_config: { full_scan_threshold: 100 } }),
  put('', { vectors: {} }),
  put('/points?wait=true', points({ id: id(1), vector: {}, payload: { a: 1 } })),
  put('/points?wait=true', points({ id: id(2), vector: [1, 0], payload: { a: 1 } })),
  post('points', { ids: [id(1)], with_payload: true, with_vector: true }),
  { method: 'DELETE', path: '/collections/{name}' },
]
