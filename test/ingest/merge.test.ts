import { describe, expect, it } from 'vitest'
import { merge } from '../../src/ingest/merge.ts'

const count = (name: string, n: number, log: string[] = []) =>
  async function* (signal: AbortSignal) {
    try {
      for (let i = 0; i < n; i++) {
        signal.throwIfAborted()
        await new Promise((resolve) => setImmediate(resolve))
        log.push(`${name}${i}`)
        yield `${name}${i}`
      }
    } finally {
      log.push(`${name} ended`)
    }
  }

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('merge', () => {
  it('hands out every item once and keeps the order within a source', async () => {
    const items = await collect(
      merge([count('a', 50), count('b', 20), count('c', 0)], { concurrency: 2, lookAhead: 3 }),
    )
    expect(items).toHaveLength(70)
    expect(items.filter((item) => item.startsWith('a'))).toEqual(Array.from({ length: 50 }, (_, i) => `a${i}`))
    expect(items.filter((item) => item.startsWith('b'))).toEqual(Array.from({ length: 20 }, (_, i) => `b${i}`))
  })

  it('holds the sources back while nobody takes', async () => {
    const log: string[] = []
    const items = merge([count('a', 1000, log)], { concurrency: 1, lookAhead: 4 })
    await items.next()
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(log.length).toBeLessThan(10)
    await items.return()
    expect(log.at(-1)).toBe('a ended')
  })

  it('ends all sources when one fails, and throws its error', async () => {
    const log: string[] = []
    const failing = async function* (): AsyncGenerator<string> {
      yield 'x'
      throw new Error('broken')
    }
    await expect(collect(merge([count('a', 1e6, log), failing], { concurrency: 2, lookAhead: 2 }))).rejects.toThrow(
      'broken',
    )
    expect(log.at(-1)).toBe('a ended')
  })

  it('ends when the signal says so', async () => {
    const log: string[] = []
    const abort = new AbortController()
    const items = merge([count('a', 1e6, log)], { concurrency: 1, lookAhead: 2, signal: abort.signal })
    await items.next()
    abort.abort()
    await expect(collect(items)).rejects.toThrow(/abort/)
    expect(log.at(-1)).toBe('a ended')
  })
})
