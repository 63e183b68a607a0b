import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../src/errors.ts'
import { isServer, settingsFrom } from '../src/settings.ts'

describe('a store is a folder or a server', () => {
  test.each(['http://localhost:6333', 'HTTPS://qdrant.example.com', 'http://[::1]:6333/path', 'http://me:pw@host'])(
    '%s is a server',
    (store) => {
      expect(isServer(store)).toBe(true)
      expect(settingsFrom({ store }, {}).store).toBe(store)
    },
  )

  test.each([
    'store',
    './a:b',
    './localhost:6333',
    '../x',
    '/data/a:1',
    'C:\\x',
    'C:/x',
    'a:b',
    'my videos: 2024',
    'x.y',
  ])('%s is a folder', (store) => {
    expect(isServer(store)).toBe(false)
    expect(settingsFrom({ store }, {}).store).toBe(resolve(store))
  })

  test.each([
    ['localhost:6333', 'http://localhost:6333 '],
    ['qdrant.example.com:6333', 'http://qdrant.example.com:6333 '],
    ['10.0.0.7:6333/path', 'http://10.0.0.7:6333/path '],
    ['[::1]:6333', 'http://[::1]:6333 '],
    ['s3://bucket/x', './FOLDER'],
    ['ftp://host', './FOLDER'],
    ['file:///data', './FOLDER'],
    ['http:/x', 'http://x '],
    ['http:x', 'http://x '],
    ['http://', 'http://localhost:6333 '],
    ['https://host:notaport', './FOLDER'],
  ])('%s looks like an address and is refused with the right form', (store, remedy) => {
    const failures = [() => settingsFrom({ store }, {}), () => settingsFrom({}, { VIDGREP_STORE: store })]
    for (const failure of failures) {
      expect(failure).toThrow(UsageError)
      expect(failure).toThrow(`got "${store}"`)
      expect(failure).toThrow(expect.objectContaining({ remedy: expect.stringContaining(remedy) }))
    }
  })
})
