import { posix, win32 } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { matchPaths, rootFinder } from '../../src/files/paths.ts'

const paths = {
  beach: '/home/u/holiday/beach.mp4',
  deep: '/home/u/holiday/day 2/sea.MOV',
  holidays: '/home/u/holidays/other.mp4',
  year: '/home/u/archive/2023/party.mov',
  brackets: '/home/u/we [1] (b)/star*.mkv',
  hidden: '/home/u/.cache/clip.mp4',
  bang: '/home/u/!bang.mp4',
  newline: '/mnt/disk/new\nline.webm',
  elsewhere: '/mnt/disk/holiday/snow.mp4',
}

const records = Object.entries(paths).map(([video, path]) => ({ video, files: [{ path }] }))

const found = (...globs: string[]) => [...matchPaths(records, globs, '/home/u').keys()]

describe.skipIf(process.platform === 'win32')('a path glob', () => {
  test.each([
    ['*.mp4', ['beach', 'holidays', 'hidden', 'bang', 'elsewhere']],
    ['beach.mp4', ['beach']],
    ['holiday', ['beach', 'deep', 'elsewhere']],
    ['holiday/', ['beach', 'deep', 'elsewhere']],
    ['holiday/**', ['beach', 'deep', 'elsewhere']],
    ['holiday/*', ['beach', 'deep', 'elsewhere']],
    ['holiday/*.mp4', ['beach', 'elsewhere']],
    ['holi*', ['beach', 'deep', 'holidays', 'elsewhere']],
    ['u/holiday', ['beach', 'deep']],
    ['day', []],
    ['**/2023/*.mov', ['year']],
    ['{archive,holidays}/**', ['holidays', 'year']],
    ['*.mov', ['year']],
    ['*.{mov,MOV}', ['deep', 'year']],
  ])('without a root, %s, matches any end of a path', (glob, names) => {
    expect(found(glob)).toEqual(names)
  })

  test.each([
    ['./holiday', ['beach', 'deep']],
    ['./*.mp4', ['bang']],
    ['../../mnt', ['newline', 'elsewhere']],
    ['../*/holiday/*.mp4', ['beach']],
    ['.', ['beach', 'deep', 'holidays', 'year', 'brackets', 'hidden', 'bang']],
    ['/mnt/disk', ['newline', 'elsewhere']],
    ['/mnt/*/holiday/**', ['elsewhere']],
    ['/home/u/archive/../holidays', ['holidays']],
    ['/holiday', []],
    ['/', Object.keys(paths)],
  ])('with a root, %s, matches in that place only', (glob, names) => {
    expect(found(glob)).toEqual(names)
  })

  test.each([
    ['we [1] (b)', ['brackets']],
    ['./we [1] (b)/star*.mkv', ['brackets']],
    ['star*.mkv', ['brackets']],
    ['!bang.mp4', ['bang']],
    ['new\nline.webm', ['newline']],
    ['/mnt/**/*.webm', ['newline']],
    ['.cache', ['hidden']],
  ])('takes strange names as they are: %j', (glob, names) => {
    expect(found(glob)).toEqual(names)
  })

  test('takes the current folder as it is, also with brackets in its name', () => {
    expect(matchPaths(records, ['./*.mkv'], '/home/u/we [1] (b)')).toEqual(new Map([['brackets', paths.brackets]]))
  })

  test('adds to the others', () => {
    expect(found('*.mkv', 'archive')).toEqual(['year', 'brackets'])
  })

  test('that is empty is refused', () => {
    expect(() => found('')).toThrow(UsageError)
    expect(() => found('*.mp4', ' ')).toThrow(UsageError)
  })
})

test('of a video in several places the first that a glob names is given, and without a glob the first', () => {
  const copied = [{ video: 'v', files: ['/a/v.mp4', '/b/v.mp4', '/b/w.mp4'].map((path) => ({ path })) }]
  expect(matchPaths(copied, ['/b'])).toEqual(new Map([['v', '/b/v.mp4']]))
  expect(matchPaths(copied, [])).toEqual(new Map([['v', '/a/v.mp4']]))
  expect(matchPaths([{ video: 'nowhere', files: [] }], [])).toEqual(new Map())
})

test('an accent finds its name, whichever of the two ways each of them is written', () => {
  const composed = '/home/u/Caf\u00e9/Cre\u0300me.mp4'
  const apart = composed.normalize('NFD')
  for (const stored of [composed, apart]) {
    const records = [{ video: 'v', files: [{ path: stored }] }]
    for (const glob of ['Café', 'Crème.mp4', './Café/Crème.mp4', './C*/Cr\u00e8*', '/home/u/Café/**']) {
      for (const form of ['NFC', 'NFD']) {
        expect(matchPaths(records, [glob.normalize(form)], '/home/u').get('v')).toBe(stored)
      }
    }
  }
  // The current folder itself may be written with accents apart.
  expect(matchPaths([{ video: 'v', files: [{ path: composed }] }], ['./*'], '/home/u/Cafe\u0301').size).toBe(1)
})

describe('a path lies within a folder', () => {
  test.each([
    ['/a/b', '/a', true],
    ['/a', '/a', true],
    ['/a', '/', true],
    ['/', '/', true],
    ['/ab', '/a', false],
    ['/a', '/a/b', false],
    ['/a/../b', '/a', false],
    ['/a/..b/c', '/a', true],
    ['/a/b', '/a/', true],
    ['/Cafe\u0301/a', '/Caf\u00e9', true],
  ])('%s in %s: %s', (path, root, expected) => {
    expect(rootFinder([root], posix)(path)).toBe(expected ? root : undefined)
  })

  test.each([
    ['C:\\a\\b', 'C:\\a', true],
    ['c:\\A\\b', 'C:\\a', true],
    ['C:\\a', 'C:\\', true],
    ['D:\\a', 'C:\\', false],
    ['C:\\ab', 'C:\\a', false],
    ['\\\\nas\\share\\a', '\\\\nas\\share', true],
    ['\\\\nas\\other\\a', '\\\\nas\\share', false],
  ])('%s in %s on Windows: %s', (path, root, expected) => {
    expect(rootFinder([root], win32)(path)).toBe(expected ? root : undefined)
  })

  test('takes the outermost of several roots', () => {
    expect(rootFinder(['/a/b', '/a', '/a/b/c'], posix)('/a/b/c/d')).toBe('/a')
  })

  test('looks at as many folders as a path has, however many roots there are', () => {
    let lookups = 0
    const dirname = (path: string): string => {
      lookups += 1
      return posix.dirname(path)
    }
    const files = Array.from({ length: 50_000 }, (_, i) => `/footage/${i % 100}/${i}.mp4`)
    const rootOf = rootFinder(files, { ...posix, dirname })
    expect(files.every((file) => rootOf(file) === file)).toBe(true)
    expect(rootOf('/footage/1/other.mp4')).toBeUndefined()
    expect(lookups).toBe(4 * (files.length + 1))
  })
})
