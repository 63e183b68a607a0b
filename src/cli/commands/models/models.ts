import type { Argv, CommandModule } from 'yargs'
import { addCommand } from './add.ts'
import { listCommand } from './list.ts'
import { pathCommand } from './path.ts'
import { pullCommand } from './pull.ts'
import { removeCommand } from './remove.ts'
import { verifyCommand } from './verify.ts'

/** Of all that can stand after `models`. */
const commands = [listCommand, pullCommand, verifyCommand, removeCommand, pathCommand, addCommand]

export const modelsCommand: CommandModule = {
  command: 'models',
  describe: 'List the models, pull, check and remove them',
  builder: (yargs: Argv) =>
    yargs
      .command(commands as unknown as CommandModule[])
      .recommendCommands()
      .strictCommands()
      .example('$0 models', 'what there is')
      .example('$0 models pull clip-vit-b-32', 'fetch one, once'),
  // Without a word after it the list's own handler runs.
  handler: () => {},
}
