import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { filterPaths } from '../../src/files/paths.ts'

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

const records = Object.values(paths).map((path) => ({ files: [{ path, bytes: 1, modifiedMs: 0 }] }))

const found = (...globs: string[]) => {
  const names = new Map(Object.entries(paths).map(([name, path]) => [path, name]))
  return filterPaths(records, globs, '/home/u').map((path) => names.get(path))
}

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
    expect(filterPaths(records, ['./*.mkv'], '/home/u/we [1] (b)')).toEqual([paths.brackets])
  })

  test('adds to the others', () => {
    expect(found('*.mkv', 'archive')).toEqual(['year', 'brackets'])
  })

  test('that is empty is refused', () => {
    expect(() => found('')).toThrow(UsageError)
    expect(() => found('*.mp4', ' ')).toThrow(UsageError)
  })
})

test('without a glob all paths pass, each once', () => {
  const twice = [...records, { files: [...records[0]!.files, { path: '/copy.mp4', bytes: 1, modifiedMs: 0 }] }]
  expect(filterPaths(twice, [], '/home/u')).toEqual([...Object.values(paths), '/copy.mp4'])
})
