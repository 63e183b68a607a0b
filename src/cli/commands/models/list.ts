import type { Argv, CommandModule } from 'yargs'
import { type ListedModel, listModels } from '../../../models/list.ts'
import { jsonOption } from '../../options.ts'
import { exitCodes, print, printJson, run } from '../../run.ts'
import { formatBytes } from './bytes.ts'

type Arguments = { readonly json: boolean }

export const listCommand: CommandModule<unknown, Arguments> = {
  command: ['list', '$0'],
  describe: 'List the models: what they are good for, how large, on disk or not',
  builder: (yargs) =>
    jsonOption(yargs)
      .example('$0 models list', 'for people')
      .example('$0 models list --json', 'for programs') as unknown as Argv<Arguments>,
  handler: ({ json }) =>
    run(json, async () => {
      const models = await listModels()
      if (json) printJson(models.map(toJson))
      else tell(models)
      return exitCodes.done
    }),
}

const toJson = (model: ListedModel) => ({
  name: model.name,
  id: model.id,
  description: model.description,
  goodFor: model.goodFor ?? null,
  languages: model.languages ?? null,
  dimension: model.dimension,
  threshold: model.threshold ?? null,
  licence: model.licence,
  licenceUrl: model.licenceUrl ?? null,
  researchOnly: model.researchOnly ?? false,
  bytes: model.bytes,
  onDisk: model.onDisk,
  added: model.added,
  folder: model.folder,
})

const tell = (models: readonly ListedModel[]): void => {
  const nameWidth = Math.max(...models.map(({ name }) => name.length))
  for (const model of models) {
    const { name, dimension, bytes, languages = [], licence } = model
    const size = formatBytes(bytes).padStart(8)
    const facts = `${size}  ${String(dimension).padStart(4)} numbers  ${languages.join(', ').padEnd(12)}  ${licence}`
    print(`${name.padEnd(nameWidth)}  ${placeOf(model).padEnd(11)}  ${facts}`)
    print(`${''.padEnd(nameWidth)}  ${model.goodFor ?? model.description}`)
  }
}

const placeOf = ({ carried, added, onDisk }: ListedModel): string =>
  carried ? 'carried' : !onDisk ? 'not on disk' : added ? 'your own' : 'on disk'
