import type { Argv, CommandModule } from 'yargs'
import { jsonOption } from '../../options.ts'
import { exitCodes, print, printJson, run } from '../../run.ts'

type Arguments = { readonly folder: string; readonly json: boolean }

export const addCommand: CommandModule<unknown, Arguments> = {
  command: 'add <folder>',
  describe: 'Copy a model of your own, a folder with a model.json, to where it is found by its name',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('folder', { type: 'string', demandOption: true, describe: 'Folder with a model.json' })
      .example('$0 models add ./my-clip', 'then: --model NAME') as unknown as Argv<Arguments>,
  handler: ({ folder, json }) =>
    run(json, async () => {
      const { addModel } = await import('../../../models/manage.ts')
      const name = await addModel(folder)
      if (json) printJson({ name })
      else print(`added  ${name}. Use it: vidgrep index FOLDER --model ${name}`)
      return exitCodes.done
    }),
}
