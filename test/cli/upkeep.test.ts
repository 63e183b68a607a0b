import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { metaId } from '../../src/store/qdrant/collections.ts'
import { openQdrantStore } from '../../src/store/qdrant/qdrantStore.ts'
import { clip, makeClip, temporaryFolder, tiny } from '../ingest/indexing.ts'
import { type StandIn, startStandIn } from '../store/stand-in/server.ts'
import { vidgrep } from './program.ts'

let home: string
beforeEach(async () => {
  home = await temporaryFolder()
})

const call = (...words: string[]) => vidgrep(words, { VIDGREP_HOME: home, VIDGREP_MODEL: tiny })

describe('prune', () => {
  it('forgets files that are gone, looks first with --dry-run, and stops where a disk may be missing', async () => {
    const [a, b] = [join(home, 'a.mp4'), join(home, 'b.mp4')]
    await makeClip(a, 'testsrc', 1)
    await makeClip(b, 'mandelbrot', 1)
    await call('index', a, b, '--detail', 'whole')
    expect((await call('prune')).stdout).toBe('Nothing to forget: every file is still there.\n')

    await rename(a, join(home, 'elsewhere'))
    expect((await call('prune', '--dry-run')).stdout).toBe(`would forget  ${a}\n`)
    expect(JSON.parse((await call('videos', '--json')).stdout)).toHaveLength(2)
    expect(await call('prune')).toEqual({ code: 0, stdout: `forgotten  ${a}\n`, stderr: '' })
    expect(JSON.parse((await call('videos', '--json')).stdout)).toMatchObject([{ path: b }])

    await rename(b, join(home, 'elsewhere'))
    const refused = await call('prune')
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/disk missing\?\n.*--all/) })
    expect(JSON.parse((await call('prune', '--all', '--json')).stdout)).toEqual({ pruned: [b] })
    expect((await call('videos')).stdout).toBe('')
  })
})

describe('search --sheet', () => {
  it('writes the pictures that it can, names the others and exits with 3', async () => {
    const [gone, sheet] = [join(home, 'gone.mp4'), join(home, 'sheet.jpg')]
    await makeClip(gone, 'testsrc', 1)
    await call('index', gone, clip('bunny.mp4'), '--detail', 'whole')
    await rename(gone, join(home, 'elsewhere'))
    const { code, stdout, stderr } = await call('search', 'x', '-n', '9', '--threshold', '-100', '--sheet', sheet)
    expect(stderr).toMatch(/^No picture of .*gone\.mp4: There is no file .*gone\.mp4$/m)
    expect(stdout).toContain(`Contact sheet: ${sheet}`)
    expect(code).toBe(3)
  })
})

describe('migrate', () => {
  let server: StandIn
  beforeEach(async () => {
    server = await startStandIn()
  })
  afterEach(() => server.close())

  it('says what an older collection lacks, brings it up to date, and then has nothing to do', async () => {
    const create = { model: 'tiny-1', dimension: 5 }
    await (await openQdrantStore(server.url, { collection: 'vidgrep', create })).close()
    const { payload } = server.database.get('vidgrep-videos')!.points.get(metaId)!
    delete (payload.migrations as Record<string, string>)['0002-index-payload']

    const dry = await call('migrate', '--store', server.url, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^would apply {2}0002-index-payload {2}\w/) })
    const migrated = await call('migrate', '--store', server.url, '--json')
    expect(JSON.parse(migrated.stdout)).toMatchObject({
      collection: 'vidgrep',
      dryRun: false,
      steps: [{ name: '0002-index-payload' }],
    })
    expect((await call('migrate', '--store', server.url)).stdout).toBe('Collection "vidgrep" is up to date.\n')
  })

  it('is refused where there is no collection', async () => {
    const { code, stderr } = await call('migrate', '--store', server.url)
    expect(code).toBe(1)
    expect(stderr).toMatch(/no collection "vidgrep"/)
  })
})
