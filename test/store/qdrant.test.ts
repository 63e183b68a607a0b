import { storeContract } from './contract.ts'
import { placeOn } from './qdrant-place.ts'
import { startStandIn } from './stand-in/server.ts'

storeContract('Qdrant (stand-in)', async () => placeOn(await startStandIn()))

// The very same against a real server, where there is one: its answers are what the stand-in has to give.
const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env
if (url) storeContract(`Qdrant at ${url}`, async () => placeOn({ url, apiKey }))
