import { metaId } from '../../src/store/qdrant/collections.ts'
import { openQdrantStore } from '../../src/store/qdrant/qdrantStore.ts'
import type { Place } from './contract.ts'

export type Server = { readonly url: string; readonly apiKey?: string }

/** One request past the store, as another program would make it. */
export const askServer = async ({ url, apiKey }: Server, method: string, path: string, body?: unknown) => {
  const headers = { 'content-type': 'application/json', ...(apiKey ? { 'api-key': apiKey } : {}) }
  const answer = await fetch(new URL(path, url), { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { result: unknown }).result
}

/** A server as a place for the contract; the collections that were made there go away afterwards, others are left alone. */
export const placeOn = (server: Server & { close?(): Promise<void> }): Place => {
  const made = new Set<string>()
  return {
    open: ({ create, ...options }) => {
      if (create) made.add(options.collection).add(`${options.collection}-videos`)
      return openQdrantStore(server.url, { ...options, create, apiKey: server.apiKey })
    },
    plantSchemaVersion: async (collection, schemaVersion) => {
      const change = { points: [metaId], payload: { schemaVersion } }
      await askServer(server, 'POST', `/collections/${collection}-videos/points/payload?wait=true`, change)
    },
    remove: async () => {
      const { collections } = (await askServer(server, 'GET', '/collections')) as { collections: { name: string }[] }
      for (const { name } of collections) {
        if (made.has(name)) await askServer(server, 'DELETE', `/collections/${name}`)
      }
      await server.close?.()
    },
  }
}
