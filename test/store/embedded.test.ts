import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedStore } from '../../src/store/embedded/store.ts'
import { type Place, storeContract } from './contract.ts'

const folderPlace = async (): Promise<Place> => {
  const folder = await mkdtemp(join(tmpdir(), 'vidgrep-store-'))
  return {
    open: (options) => openEmbeddedStore(folder, options),
    plantSchemaVersion: async (collection, version) => {
      const file = join(folder, collection, 'collection.json')
      const facts = JSON.parse(await readFile(file, 'utf8'))
      await writeFile(file, JSON.stringify({ ...facts, schemaVersion: version }))
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

storeContract('The embedded store', folderPlace)
