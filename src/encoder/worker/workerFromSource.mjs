// Node 20 reads no TypeScript by itself, and a worker does not inherit the loader of the thread that starts it.
const { VIDGREP_WORKER: compiled } = process.env

// The tests compile before they begin: what is compiled starts in a third of the time.
if (compiled) {
  await import(compiled)
} else {
  const { register } = await import('tsx/esm/api')
  register()
  await import('./worker.ts')
}
