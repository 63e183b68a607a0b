import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import yargs from 'yargs'
import { searchCommand } from '../../src/cli/commands/search.ts'
import { noSearch, toCommand } from '../../src/page/query.ts'

/** What the command line's parser makes of a command, once a shell has taken it apart. */
const parsed = async (command: string) => {
  const { stdout } = await promisify(execFile)('sh', ['-c', `printf '%s\\0' ${command}`])
  const words = stdout.split('\0').slice(2, -1)
  const end = words.indexOf('--')
  const [given, query] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)]
  const known = new Set(searchCommand.optionNames)
  const named = [...known].filter((name) => name !== 'likely')
  const args = await yargs(given)
    .options(Object.fromEntries(named.map((name) => [name, { type: 'string', array: true } as const])))
    .options('likely', { type: 'boolean' })
    .strict()
    .exitProcess(false)
    .fail((message) => {
      throw new Error(message)
    })
    .parseAsync()
  const asked = Object.entries(args).filter(([name]) => known.has(name) && args[name] !== undefined)
  return { query, ...Object.fromEntries(asked.filter(([, value]) => value !== false)) }
}

it('gives each search as a command that asks for the same', async () => {
  const search = {
    ...noSearch,
    q: 'it\'s a "dog"',
    path: ['**/my holiday/*.mp4', '-x.mov'],
    like: ['8f2ecf17b5545e67eae3781030240d7d@6.040@0,0,0.5,0.5', 'picture:0123456789abcdef0123456789abcdef'],
    unlike: ['8f2ecf17b5545e67eae3781030240d7d@2.000'],
    ...{ after: 1.5, before: 90, longer: 10, shorter: 3600, threshold: -3, collection: 'films' },
    ...{ since: '2024-06-01', until: '2024-07-01', likely: true },
  }
  expect(await parsed(toCommand(search))).toEqual({
    query: ['it\'s a "dog"'],
    path: ['**/my holiday/*.mp4', '-x.mov'],
    like: ['8f2ecf17b5545e67eae3781030240d7d@6.040'],
    unlike: ['8f2ecf17b5545e67eae3781030240d7d@2.000'],
    ...{ after: ['1.5'], before: ['90'], longer: ['10'], shorter: ['3600'], threshold: ['-3'], collection: ['films'] },
    ...{ 'recorded-after': ['2024-06-01'], 'recorded-before': ['2024-07-01'], likely: true },
  })
  const together = { ...noSearch, q: 'a beach', without: 'people, text', next: '-a dog' }
  expect(await parsed(toCommand(together, '/a b/c.mp4'))).toEqual({
    query: ['"a beach" - "people" - "text" > "-a dog"'],
    path: ['/a b/c.mp4'],
  })
})
