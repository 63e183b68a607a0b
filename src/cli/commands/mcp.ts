import { defineCommand, deviceOption, modelOption, openOptions, storeOptions } from '../options.ts'
import { exitCodes, warn } from '../run.ts'

export const mcpCommand = defineCommand({
  command: 'mcp',
  describe: 'Let an assistant search, over the Model Context Protocol',
  options: {
    clips: {
      type: 'string',
      requiresArg: true,
      describe: 'Folder that clips are written into',
      defaultDescription: 'clips in the data folder',
    },
    ...storeOptions,
    ...modelOption,
    ...deviceOption,
  },
  builder: (yargs) => yargs.example('$0 mcp', 'the command to name in the assistant’s settings'),
  run: async ({ clips, ...args }, { signal }) => {
    const { serveMcp } = await import('../../mcp/server.ts')
    const onFetch = (name: string): void => warn(`Fetching ${name}, once; afterwards it works offline …`)
    await serveMcp({ ...openOptions(args), clips, onFetch, onNotice: warn, signal })
    return exitCodes.done
  },
})
