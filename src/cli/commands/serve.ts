import { once } from 'node:events'
import { defaultPort } from '../../server/access.ts'
import { defineCommand, deviceOption, modelOption, openOptions, storeOptions } from '../options.ts'
import { exitCodes, print, warn } from '../run.ts'

export const serveCommand = defineCommand({
  command: 'serve',
  describe: 'Search with a page in the browser',
  options: {
    host: {
      type: 'string',
      default: '127.0.0.1',
      requiresArg: true,
      describe: 'Address to listen on; others than this machine alone need a token',
    },
    port: {
      type: 'number',
      default: defaultPort,
      requiresArg: true,
      describe: 'Port to listen on; if it is taken, the next free one',
    },
    open: { type: 'boolean', default: false, describe: 'Open the page in the browser' },
    token: {
      type: 'string',
      requiresArg: true,
      describe: 'What a browser must bring along to be let in',
      defaultDescription: 'VIDGREP_TOKEN; none on this machine, else one that is made and printed',
    },
    name: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Further host name that the page may be opened by; may be given again',
    },
    allow: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Folder that may be indexed from the page; may be given again',
      defaultDescription: 'none',
    },
    watch: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Folder to keep the collection up to date with; may be given again',
      defaultDescription: 'none',
    },
    ...storeOptions,
    ...modelOption,
    ...deviceOption,
  },
  builder: (yargs) =>
    yargs
      .example('$0 serve --open', 'a page on this machine alone')
      .example('$0 serve --host 0.0.0.0 --name studio.local', 'for a team, with a token'),
  run: async ({ host, port, open, name, allow, watch, ...args }, { signal }) => {
    // In a list of processes the whole command can be read, and its environment only by the same user.
    const token = args.token ?? (process.env.VIDGREP_TOKEN || undefined)
    const { serve } = await import('../../server/server.ts')
    const onFetch = (name: string): void => warn(`Fetching ${name}, once; afterwards it works offline …`)
    const server = await serve({
      ...openOptions(args),
      host,
      port,
      token,
      names: name,
      allow,
      watch,
      onFetch,
      onNotice: warn,
    })
    if (server.port !== port && port !== 0) warn(`Port ${port} is taken.`)
    print(server.url)
    warn('Ctrl-C ends it.')
    try {
      if (open) await openPage(server.url)
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      await server.close()
    }
    return exitCodes.done
  },
})

/** Without a browser, as over ssh, the address that was printed is enough. */
const openPage = async (url: string): Promise<void> => {
  const { default: openInBrowser } = await import('open')
  const browser = await openInBrowser(url)
  browser.on('error', () => warn('No browser could be started: open the address yourself.'))
}
