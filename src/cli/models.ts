import type { Argv, CommandModule } from 'yargs'
import { type ListedModel, listModels } from '../models/load.ts'
import { jsonOption } from './options.ts'
import { exitCodes, print, printJson, run } from './run.ts'

type Arguments = { readonly json: boolean }

export const modelsCommand: CommandModule<unknown, Arguments> = {
  command: 'models [action]',
  describe: 'List the models',
  builder: (yargs) =>
    jsonOption(yargs).positional('action', {
      choices: ['list'] as const,
      default: 'list',
      describe: 'What to do',
    }) as unknown as Argv<Arguments>,
  handler: ({ json }) =>
    run(json, async () => {
      const models = await listModels()
      if (json) printJson(models.map(toJson))
      else for (const model of models) tell(model)
      return exitCodes.done
    }),
}

const toJson = ({ name, id, description, dimension, threshold, licence, bytes, onDisk, folder }: ListedModel) => ({
  name,
  id,
  description,
  dimension,
  threshold: threshold ?? null,
  licence,
  bytes,
  onDisk,
  folder,
})

const tell = ({ name, description, dimension, licence, bytes, onDisk }: ListedModel): void => {
  print(`${name}  ${onDisk ? 'on disk' : 'not on disk'}, ${(bytes / 1e6).toFixed(0)} MB, ${dimension} numbers`)
  print(`  ${description}`)
  print(`  licence: ${licence}`)
}
