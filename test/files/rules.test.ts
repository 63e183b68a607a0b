import { execFileSync } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, relative } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { findFiles } from '../../src/files/find.ts'
import { useFolder } from '../video/makeClip.ts'

const inFolder = useFolder()

const write = async (path: string, content = ''): Promise<void> => {
  await mkdir(dirname(inFolder(path)), { recursive: true })
  await writeFile(inFolder(path), content)
}

/** What is found below `root`, named from there, and what is passed over for the reason given. */
const find = async (root: string, exclude?: readonly string[]) => {
  const { paths, skipped } = await findFiles([inFolder(root)], { exclude })
  const below = (path: string) => relative(inFolder(root), path)
  const ofKind = (kind: string) => skipped.filter((each) => each.kind === kind).map(({ path }) => below(path))
  return { paths: paths.map(below), excluded: ofKind('excluded'), unreadable: ofKind('unreadable'), skipped }
}

describe('what a system or network disk keeps for itself', () => {
  const folders = [
    ...['@eaDir/a.mp4', '#recycle', '$RECYCLE.BIN/S-1-5', 'System Volume Information', '.Trash-1000/files', '.Trashes'],
    ...['.stversions', '.stfolder', 'lost+found', '.Spotlight-V100', '.fseventsd', '@Recycle', '.AppleDouble'],
    ...['@GMT-2026.01.01-00.00.00', 'RECYCLER', '#snapshot', '@Recently-Snapshot'],
  ]
  beforeAll(async () => {
    for (const folder of folders) await write(`nas/films/${folder}/x.mp4`)
    await write('nas/films/._a.mp4')
    await write('nas/films/a.mp4')
  })

  test('is left out and counted', async () => {
    const { paths, excluded } = await find('nas')
    expect(paths).toEqual(['films/a.mp4'])
    expect(excluded).toHaveLength(folders.length + 1)
  })

  test.each(folders)('is taken where it is named: %s', async (folder) => {
    expect((await find(`nas/films/${folder}`)).paths).toEqual(['x.mp4'])
    const { paths } = await findFiles([inFolder('nas'), inFolder(`nas/films/${folder}`)])
    expect(paths.map((path) => relative(inFolder('nas/films'), path))).toEqual(['a.mp4', `${folder}/x.mp4`])
  })

  test('is known in upper and lower case, and only as a whole name of a folder', async () => {
    const names = ['$Recycle.Bin/x.mp4', 'LOST+FOUND/x.mp4', '#recycled films/x.mp4', 'lost+found.mp4', 'a@eaDir/x.mp4']
    for (const name of names) await write(`names/${name}`)
    const { paths, excluded } = await find('names')
    expect(paths).toEqual(['#recycled films/x.mp4', 'a@eaDir/x.mp4', 'lost+found.mp4'])
    expect(excluded).toEqual(['$Recycle.Bin', 'LOST+FOUND'])
  })
})

describe('--exclude', () => {
  beforeAll(async () => {
    for (const name of ['a.mp4', 'a.proxy.mp4', '#1.mp4', 'raw/b.mp4', 'deep/raw/c.mp4', 'deep/c.proxy.mp4', 'Raw.mp4'])
      await write(`given/${name}`)
  })

  test.each<[readonly string[], readonly string[]]>([
    [['*.proxy.mp4'], ['#1.mp4', 'Raw.mp4', 'a.mp4', 'deep/raw/c.mp4', 'raw/b.mp4']],
    [['raw/'], ['#1.mp4', 'Raw.mp4', 'a.mp4', 'a.proxy.mp4', 'deep/c.proxy.mp4']],
    [['/raw'], ['#1.mp4', 'Raw.mp4', 'a.mp4', 'a.proxy.mp4', 'deep/c.proxy.mp4', 'deep/raw/c.mp4']],
    [['deep/**/*.mp4'], ['#1.mp4', 'Raw.mp4', 'a.mp4', 'a.proxy.mp4', 'raw/b.mp4']],
    [['*.mp4', '!a.mp4'], ['a.mp4']],
    [
      ['#1.mp4', 'raw', '*.proxy.*'],
      ['Raw.mp4', 'a.mp4'],
    ],
  ])('%j leaves %j', async (exclude, left) => {
    expect((await find('given', exclude)).paths).toEqual(left)
  })

  test('holds for what is named, too', async () => {
    const named = ['given/a.mp4', 'given/a.proxy.mp4', 'given/raw', 'given/deep'].map(inFolder)
    const { paths, skipped } = await findFiles(named, { exclude: ['*.proxy.mp4', 'raw/'] })
    expect(paths).toEqual([inFolder('given/a.mp4')])
    expect(skipped.filter(({ kind }) => kind === 'excluded')).toHaveLength(4)
  })

  test('is refused when it is blank', async () => {
    await expect(find('given', ['*.mkv', ' '])).rejects.toThrow(UsageError)
  })
})

describe('a .vidgrepignore', () => {
  test('leaves out of its folder what it says, and says so', async () => {
    await write('rules/.vidgrepignore', '\uFEFF# proxies\r\n*.proxy.mp4\r\n/raw\r\n\r\n')
    for (const name of ['a.mp4', 'a.proxy.mp4', 'raw/b.mp4', 'deep/raw/c.mp4', 'deep/c.proxy.mp4'])
      await write(`rules/${name}`)
    const { paths, excluded, skipped } = await find('rules')
    expect(paths).toEqual(['a.mp4', 'deep/raw/c.mp4'])
    expect(excluded).toEqual(['a.proxy.mp4', 'deep/c.proxy.mp4', 'raw'])
    expect(skipped.find(({ path }) => path === inFolder('rules/raw'))?.reason).toBe(
      `${inFolder('rules/.vidgrepignore')} has "/raw"`,
    )
  })

  test('of an inner folder goes before that of an outer one, and --exclude before both', async () => {
    await write('nested/.vidgrepignore', '*.mkv\nold/\n')
    await write('nested/in/.vidgrepignore', '!keep.mkv\n/only-here.mp4\n')
    const names = ['a.mkv', 'keep.mkv', 'only-here.mp4', 'in/a.mkv', 'in/keep.mkv', 'in/only-here.mp4', 'in/b/keep.mkv']
    for (const name of [...names, 'in/b/only-here.mp4', 'in/old/x.mp4']) await write(`nested/${name}`)
    const found = ['in/b/keep.mkv', 'in/b/only-here.mp4', 'in/keep.mkv', 'only-here.mp4']
    expect((await find('nested')).paths).toEqual(found)
    expect((await find('nested', ['keep.mkv'])).paths).toEqual(['in/b/only-here.mp4', 'only-here.mp4'])
    // A folder taken in again is taken in with all that is in it.
    expect((await find('nested', ['!old/'])).paths).toEqual([...found.slice(0, 3), 'in/old/x.mp4', 'only-here.mp4'])
  })

  test('brings in again what is hidden, or the whole of a folder but one file', async () => {
    await write('again/.vidgrepignore', '!.cache/\n/all/*\n!/all/one.mp4\n')
    for (const name of ['.cache/a.mp4', '.cache/.b.mp4', '.other/a.mp4', 'all/one.mp4', 'all/two.mp4'])
      await write(`again/${name}`)
    expect((await find('again')).paths).toEqual(['.cache/a.mp4', 'all/one.mp4'])
  })

  test('means a name however its accents are written', async () => {
    await write('accents/.vidgrepignore', 'Caf\u00e9*\nCre\u0300me/\n')
    for (const name of ['Cafe\u0301.mp4', 'Caf\u00e9 2.mp4', 'Cr\u00e8me/a.mp4', 'Cr\u00e8me.mp4'])
      await write(`accents/${name}`)
    expect((await find('accents')).paths).toEqual(['Cr\u00e8me.mp4'])
    expect((await find('accents', ['Cre\u0300me.mp4'])).paths).toEqual([])
  })

  test('says nothing of a folder that is named below it', async () => {
    await write('above/.vidgrepignore', 'in/\n')
    await write('above/in/a.mp4')
    expect((await find('above')).paths).toEqual([])
    expect((await find('above/in')).paths).toEqual(['a.mp4'])
  })
})

describe('an accent', () => {
  test('of a name that is typed finds the file whose name has it the other way', async () => {
    await write('typed/Cafe\u0301/Cre\u0300me.mp4')
    const { paths, roots } = await findFiles([inFolder('typed/Caf\u00e9/Cr\u00e8me.mp4'), inFolder('typed/Caf\u00e9')])
    expect(paths).toEqual([inFolder('typed/Cafe\u0301/Cre\u0300me.mp4')])
    expect(roots[1]).toBe(inFolder('typed/Cafe\u0301'))
  })

  // Systems that take both names for the same file have only one of them.
  test.runIf(process.platform === 'linux')('makes two files of two names', async () => {
    await write('both/Caf\u00e9.mp4')
    await write('both/Cafe\u0301.mp4')
    expect((await find('both')).paths).toHaveLength(2)
    const { paths } = await findFiles([inFolder('both/Caf\u00e9.mp4')])
    expect(paths).toEqual([inFolder('both/Caf\u00e9.mp4')])
  })
})

/** The superuser reads everything: such a test is run as somebody else. */
const asUser = async <T>(call: () => Promise<T>): Promise<T> => {
  if (process.getuid?.() !== 0) return await call()
  process.seteuid!(65_534)
  try {
    return await call()
  } finally {
    process.seteuid!(0)
  }
}

describe.skipIf(process.platform === 'win32')('what cannot be read', () => {
  beforeAll(async () => {
    for (const name of ['a.mp4', 'closed/b.mp4', 'ruled/.vidgrepignore', 'ruled/c.mp4', 'lost+found/d.mp4'])
      await write(`locked/${name}`)
    await symlink(inFolder('elsewhere/film.mp4'), inFolder('locked/link.mp4'))
    await write('elsewhere/film.mp4')
    await chmod(inFolder('.'), 0o755)
    const closed = ['locked/closed', 'locked/ruled/.vidgrepignore', 'locked/lost+found', 'elsewhere']
    for (const name of closed) await chmod(inFolder(name), 0)
    return async () => {
      for (const name of closed) await chmod(inFolder(name), 0o755)
    }
  })

  test('is named, and what a system keeps for itself is not tried', async () => {
    const { paths, excluded, unreadable } = await asUser(() => find('locked'))
    expect({ paths, excluded, unreadable }).toEqual({
      paths: ['a.mp4'],
      excluded: ['lost+found'],
      // Without its rules too much might be taken out of a folder. Nobody knows where the link leads.
      unreadable: ['closed', 'link.mp4', 'ruled'],
    })
  })

  test('is named by each of several shards: nobody knows whose videos are missing', async () => {
    for (const shard of ['1/3', '2/3', '3/3']) {
      const { skipped } = await asUser(() => findFiles([inFolder('locked')], { shard }))
      expect(skipped.filter(({ kind }) => kind === 'unreadable')).toHaveLength(3)
    }
  })
})

describe.skipIf(process.platform === 'win32')('what is no regular file', () => {
  test('is not opened, and links that go round in circles end', async () => {
    await write('odd/a.mp4')
    execFileSync('mkfifo', [inFolder('odd/pipe.ts')])
    await symlink(inFolder('odd/pipe.ts'), inFolder('odd/to-pipe.ts'))
    await symlink(inFolder('odd/two.mp4'), inFolder('odd/one.mp4'))
    await symlink(inFolder('odd/one.mp4'), inFolder('odd/two.mp4'))
    await symlink('/dev/zero', inFolder('odd/zero.ts'))
    await symlink(inFolder('odd'), inFolder('odd/self'))
    const socket = createServer().listen(inFolder('odd/socket.mts'))
    try {
      const { paths, skipped } = await find('odd')
      expect(paths).toEqual(['a.mp4'])
      const reasons = Object.fromEntries(skipped.map(({ path, reason }) => [relative(inFolder('odd'), path), reason]))
      expect(reasons).toEqual({
        'pipe.ts': 'not a regular file',
        'socket.mts': 'not a regular file',
        'one.mp4': 'a link that leads nowhere (ELOOP)',
        'two.mp4': 'a link that leads nowhere (ELOOP)',
        'zero.ts': 'a link that leads out of the folder',
      })
    } finally {
      socket.close()
    }
  })
})
