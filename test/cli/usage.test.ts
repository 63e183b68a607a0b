import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../ingest/indexing.ts'
import { vidgrep } from './program.ts'

const commands = [
  'index',
  'watch',
  'search',
  'explain',
  'copies',
  'scenes',
  'map',
  'videos',
  'remove',
  'prune',
  'serve',
  'frame',
  'clip',
  'mcp',
  'models',
  'reindex',
  'migrate',
  'doctor',
]

describe('help', () => {
  it('shows every command', async () => {
    const { code, stdout } = await vidgrep(['--help'])
    expect(code).toBe(0)
    expect(stdout).toMatchSnapshot()
  })

  it.each(commands)('of %s shows every option', async (command) => {
    const { code, stdout } = await vidgrep([command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatchSnapshot()
  })
})

describe('wrong usage', () => {
  it.each([
    ['no command', [], /Say what to do/],
    ['an unknown command', ['serch', 'x'], /^Unknown command: serch\. Did you mean search\?/],
    ['an unknown option', ['search', 'x', '--treshold', '3'], /treshold. Did you mean --threshold\?/],
    ['an option that resembles none', ['search', 'x', '--with-popcorn'], /^Unknown option: --with-popcorn\nSee: /],
    ['a word too many', ['videos', 'x'], /^Expected no more words, got: x\n/],
    ['an empty path', ['index', ''], /value for paths/],
    ['a blank option', ['videos', '--store', ' '], /value for --store/],
    ['a picture of no known kind', ['frame', 'a.mp4', '1', '-o', 'a.xyz'], /ending in .*\.png.*a\.xyz/],
    ['a missing argument', ['index'], /at least 1/],
    ['a choice that does not exist', ['index', '.', '--detail', 'hex'], /normal/],
    ['a level of a grid without levels', ['index', '.', '--detail', 'low', '--grid', 'article'], /mutually exclusive/],
    ['a number that is none', ['search', 'x', '-n', 'many'], /Expected/],
    ['a model that does not exist', ['index', '.', '--model', 'startr'], /starter/],
    ['a folder that does not exist', ['index', './no-such-folder'], /no-such-folder/],
    ['a time that is none', ['search', 'x', '--after', 'soon'], /1:02:03/],
    ['an option given twice', ['search', 'x', '--after', '1', '--after', '2'], /--after only once/],
    ['a shard that is none', ['index', '.', '--shard', '5/4'], /i from 1 to n .*5\/4/],
    ['jobs that are none', ['index', '.', '--jobs', '0'], /jobs/],
    ['threads that are none', ['index', '.', '--threads', 'x'], /threads/],
    ['a time between frames that is none', ['index', '.', '--every=-1'], /0 or more/],
  ])('%s exits with 2, says what is wrong and prints no result', async (_, words, message) => {
    const { code, stdout, stderr } = await vidgrep(words, { VIDGREP_HOME: await temporaryFolder() })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  it('is JSON where JSON was asked for', async () => {
    const { code, stderr } = await vidgrep(['search', 'x', '--json', '--treshold', '3'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'usage', message: expect.stringContaining('--threshold'), remedy: expect.any(String) },
    })
  })
})
