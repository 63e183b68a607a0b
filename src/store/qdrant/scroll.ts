import type { CallOptions } from '../store.ts'
import type { Qdrant, Schemas } from './client.ts'

/** All points that match, page by page, in the order of their ids. */
export const scroll = async function* (
  qdrant: Qdrant,
  collection: string,
  request: Schemas['ScrollRequest'] & { readonly limit: number },
  { signal }: CallOptions,
): AsyncGenerator<Schemas['Record']> {
  let offset: Schemas['ScrollRequest']['offset']
  do {
    const page = { with_vector: false, ...request, collection_name: collection, ...(offset ? { offset } : {}) }
    const { points, next_page_offset } = await qdrant.ask((api, init) => api.scrollPoints(page, init), { signal })
    yield* points
    offset = next_page_offset
  } while (offset)
}
