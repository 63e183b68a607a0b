import type { Argv, CommandModule } from 'yargs'
import { modelPath } from '../../../models/manage.ts'
import { jsonOption } from '../../options.ts'
import { exitCodes, print, printJson, run } from '../../run.ts'

type Arguments = { readonly name: string; readonly json: boolean }

export const pathCommand: CommandModule<unknown, Arguments> = {
  command: 'path <name>',
  describe: 'Print the folder where a model is, or would be once it is pulled',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('name', { type: 'string', demandOption: true, describe: 'Name of a model' })
      .example('du -sh "$($0 models path clip-vit-b-32)"', 'how large it is') as unknown as Argv<Arguments>,
  handler: ({ name, json }) =>
    run(json, async () => {
      const path = await modelPath(name)
      if (json) printJson({ name, path })
      else print(path)
      return exitCodes.done
    }),
}
