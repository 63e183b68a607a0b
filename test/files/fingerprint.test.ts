import { createHash, randomBytes } from 'node:crypto'
import { appendFile, copyFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { fingerprint } from '../../src/files/fingerprint.ts'
import { useFolder } from '../video/makeClip.ts'

const inFolder = useFolder()

const file = async (name: string, bytes: Uint8Array) => {
  await writeFile(inFolder(name), bytes)
  return inFolder(name)
}

test('the fingerprint is the first half of the SHA-256 of the content', async () => {
  expect(await fingerprint(await file('abc', Buffer.from('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223')
  const large = randomBytes(3_500_000)
  const digest = createHash('sha256').update(large).digest('hex')
  expect(await fingerprint(await file('large', large))).toBe(digest.slice(0, 32))
})

test('a copy has the same one, a changed byte at the end another', async () => {
  const original = await file('original', randomBytes(2_100_000))
  await copyFile(original, inFolder('copy'))
  expect(await fingerprint(inFolder('copy'))).toBe(await fingerprint(original))
  await appendFile(inFolder('copy'), 'x')
  expect(await fingerprint(inFolder('copy'))).not.toBe(await fingerprint(original))
})

test('progress is told up to the end', async () => {
  const told: number[][] = []
  await fingerprint(await file('progress', randomBytes(2_500_000)), { onProgress: (...numbers) => told.push(numbers) })
  expect(told.length).toBeGreaterThan(2)
  expect(told.at(-1)).toEqual([2_500_000, 2_500_000])
  expect(told.map(([read]) => read)).toEqual(told.map(([read]) => read!).sort((a, b) => a - b))
})

test('a file that grows meanwhile is refused', async () => {
  const growing = await file('growing', randomBytes(4_000_000))
  let pending: Promise<void> | undefined
  const onProgress = () => {
    pending ??= appendFile(growing, 'more')
  }
  const error = await fingerprint(growing, { onProgress }).catch((reason: unknown) => reason)
  await pending
  expect(error).toMatchObject({ code: 'file-changed' })
})

test('it can be aborted', async () => {
  const controller = new AbortController()
  const onProgress = () => controller.abort(new Error('enough'))
  const call = fingerprint(await file('aborted', randomBytes(4_000_000)), { signal: controller.signal, onProgress })
  await expect(call).rejects.toThrow('enough')
})

test('a missing file is said to be missing', async () => {
  await expect(fingerprint(inFolder('missing'))).rejects.toThrow(`There is no file ${inFolder('missing')}`)
})
