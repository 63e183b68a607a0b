import type { Argv, CommandModule } from 'yargs'
import { jsonOption } from '../../options.ts'
import { exitCodes, print, printJson, run } from '../../run.ts'

type Arguments = { readonly name: string; readonly json: boolean }

export const removeCommand: CommandModule<unknown, Arguments> = {
  command: 'remove <name>',
  describe: 'Remove a pulled or added model from the disk; collections stay',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('name', { type: 'string', demandOption: true, describe: 'Name of a model' })
      .example('$0 models remove clip-rn50x4', 'it can be pulled again') as unknown as Argv<Arguments>,
  handler: ({ name, json }) =>
    run(json, async () => {
      const { removeModel } = await import('../../../models/manage.ts')
      const removed = await removeModel(name)
      if (json) printJson({ name, removed })
      else print(removed ? `removed  ${name}` : `${name} was not on disk`)
      return exitCodes.done
    }),
}
