import cliProgress from 'cli-progress'

/** How every progress bar looks: one line that is gone when the work is done. */
export const createBar = (format: string): cliProgress.SingleBar =>
  new cliProgress.SingleBar({
    format,
    barsize: 24,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    linewrap: false,
    gracefulExit: false,
    fps: 8,
  })
