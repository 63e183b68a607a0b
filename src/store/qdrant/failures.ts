import { StoreError } from '../store.ts'

/** Answers that mean "not now": too many requests, a proxy without its server, unavailable, a proxy that waited too long. */
const transientStatuses: readonly number[] = [429, 502, 503, 504]

/** How a request failed that got an answer. `detail` is the server's reason. */
type Refusal = { readonly status: number; readonly detail: string }

/** Code of the error of a request that was bigger than the server, or a proxy before it, takes. */
export const tooLarge = 'store-request-too-large'

/** The server answered that there is no such collection (or nothing at this address). */
export const isNotFound = (error: unknown): boolean => error instanceof StoreError && error.code === 'store-not-found'

/** The HTTP status behind an error, where there was an answer. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof StoreError ? refusalOf(error.cause)?.status : undefined

/** No answer at all: nothing listens, the connection broke, the name is unknown, or the time was over. */
export const isConnectionFailure = (error: unknown): boolean =>
  (error instanceof TypeError && error.cause !== undefined && !isProtocolFailure(error)) || isTimeout(error)

/** Shortest pause in seconds before trying again; `undefined` for a failure that will not pass by itself. */
export const transientWaitSeconds = (error: unknown): number | undefined => {
  if (isResourceExhausted(error)) return Math.max(0, Number((error as { retry_after?: number }).retry_after ?? 0))
  if (isConnectionFailure(error)) return 0
  const refusal = refusalOf(error)
  return refusal && transientStatuses.includes(refusal.status) ? 0 : undefined
}

/** What a user can do something about, in words; anything else is returned as it is. */
export const storeErrorFrom = (error: unknown, location: string): unknown => {
  if (isTimeout(error)) return unreachable(`Qdrant at ${location} did not answer in time`, error)
  if (isProtocolFailure(error)) return protocolFailure(error, location)
  if (isConnectionFailure(error)) return unreachable(`Qdrant at ${location} did not answer`, error)
  if (error instanceof SyntaxError) return unreachable(`What answered at ${location} is not Qdrant`, error)
  const refusal = refusalOf(error)
  return refusal ? refused(refusal, location, error) : error
}

const refused = ({ status, detail }: Refusal, location: string, cause: unknown): StoreError => {
  if (status === 401 || status === 403) {
    return new StoreError('store-unauthorized', `Qdrant at ${location} refused: the API key is missing or wrong`, {
      remedy: 'Set it: export QDRANT_API_KEY=KEY',
      cause,
    })
  }
  const code = codeOf(status, detail)
  const remedy = remedies[code] ?? 'Look into its log, and compare versions: vidgrep doctor'
  return new StoreError(code, `Qdrant at ${location} answered ${status}: ${detail}`, { remedy, cause })
}

const remedies: Readonly<Record<string, string>> = {
  'store-not-found': 'Check --store and --collection: vidgrep doctor',
  'store-busy': 'Try again later, or give the server more memory and processors',
}

const codeOf = (status: number, detail: string): string => {
  if (status === 404) return 'store-not-found'
  if (status === 413 || (status === 400 && /larger than allowed/i.test(detail))) return tooLarge
  return transientStatuses.includes(status) ? 'store-busy' : 'store-refused'
}

const unreachable = (message: string, cause: unknown): StoreError =>
  new StoreError('store-unreachable', message, {
    remedy: 'Start it with docker compose up -d, or check --store',
    cause,
  })

const protocolFailure = (error: unknown, location: string): StoreError => {
  const { code = '', message = code } = causeOf(error) ?? {}
  const remedy = protocolCodes.test(code)
    ? 'Check whether the address begins with http:// or https://'
    : 'Name the authority of its certificate: export NODE_EXTRA_CA_CERTS=FILE.pem'
  return new StoreError('store-tls', `There is no connection to ${location}: ${message}`, {
    remedy,
    cause: error,
  })
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError'

/** https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
const certificateCodes = /CERT|CRL|SELF_SIGNED|UNABLE_TO_|ERR_TLS/
const protocolCodes = /ERR_SSL|EPROTO|HPE_/

const isProtocolFailure = (error: unknown): boolean => {
  const code = causeOf(error)?.code ?? ''
  return certificateCodes.test(code) || protocolCodes.test(code)
}

/**
 * What the client makes of a 429 with a `Retry-After`. It keeps the first digit of the header only, as seconds, and
 * gives up over a date; our own pauses grow beside it.
 */
const isResourceExhausted = (error: unknown): boolean =>
  error instanceof Error && ('retry_after' in error || error.message.startsWith('Invalid retryAfter'))

const causeOf = (error: unknown): { code?: string; message?: string } | undefined =>
  error instanceof TypeError ? (error.cause as { code?: string; message?: string } | undefined) : undefined

/** The client's error says only "Not Found"; the reason stands in the body, as text where a proxy or the key check speaks. */
const refusalOf = (error: unknown): Refusal | undefined => {
  if (!(error instanceof Error)) return undefined
  if (isResourceExhausted(error)) return { status: 429, detail: error.message }
  if (!('status' in error) || typeof error.status !== 'number') return undefined
  const { status } = error
  const data = (error as { data?: unknown }).data
  const reason = (data as { status?: { error?: unknown } } | undefined)?.status?.error
  const text = typeof reason === 'string' ? reason : typeof data === 'string' ? data.trim().slice(0, 200) : ''
  return { status, detail: text || error.message || 'no reason given' }
}
