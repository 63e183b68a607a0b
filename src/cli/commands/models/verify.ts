import { existsSync } from 'node:fs'
import type { Argv, CommandModule } from 'yargs'
import { listModels } from '../../../models/list.ts'
import type { CheckedFile } from '../../../models/manage.ts'
import { jsonOption } from '../../options.ts'
import { exitCodes, print, printJson, run } from '../../run.ts'

type Arguments = { readonly name?: string; readonly json: boolean }

export const verifyCommand: CommandModule<unknown, Arguments> = {
  command: 'verify [name]',
  describe: 'Check the files of a model, or of all on disk, by their SHA-256',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('name', { type: 'string', describe: 'Name of a model', defaultDescription: 'all on disk' })
      .example('$0 models verify', 'all of them; about a second a gigabyte') as unknown as Argv<Arguments>,
  handler: ({ name, json }) =>
    run(json, async ({ signal }) => {
      const { verifyModel } = await import('../../../models/manage.ts')
      const names = name === undefined ? await namesOnDisk() : [name]
      const checked: { name: string; files: readonly CheckedFile[] }[] = []
      for (const each of names) {
        const files = await verifyModel(each, { signal })
        checked.push({ name: each, files })
        if (!json) tell(each, files)
      }
      if (json) printJson(checked.map(({ name, files }) => ({ name, files: files.map(toJson) })))
      return checked.every(({ files }) => files.every(({ right }) => right)) ? exitCodes.done : exitCodes.error
    }),
}

/** By the folder alone: a model of which a file is cut off or gone is just what has to be found. */
const namesOnDisk = async (): Promise<string[]> =>
  (await listModels()).filter(({ folder }) => existsSync(folder)).map(({ name }) => name)

const toJson = ({ path, expected, found, right }: CheckedFile) => ({ path, expected, found: found ?? null, right })

const tell = (name: string, files: readonly CheckedFile[]): void => {
  for (const { path, expected, found, right } of files) {
    print(`${right ? 'ok ' : 'BAD'}  ${path}${right && expected === null ? '  (nobody knows its hash)' : ''}`)
    if (right) continue
    print(`     expected  ${expected ?? 'any file'}`)
    print(`     got       ${found ?? 'no file'}`)
  }
  if (files.some(({ right }) => !right))
    print(`     to repair: vidgrep models remove ${name}, then pull or add it again`)
}
