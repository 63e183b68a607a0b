// Node 20 reads no TypeScript by itself, and a worker does not inherit the loader of the thread that starts it.
// The tests compile before they begin: what is compiled starts in a third of the time.
if (process.env.VIDGREP_WORKER === 'compiled') {
  await import('../../../dist/encoder/worker/worker.js')
} else {
  const { register } = await import('tsx/esm/api')
  register()
  await import('./worker.ts')
}
