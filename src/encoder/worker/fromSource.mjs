// Node 20 reads no TypeScript by itself, and what is started from here does not inherit the loader of what starts it.
// The last word names the module: worker or optimise.
const name = process.argv.at(-1)
const { VIDGREP_COMPILED: compiled } = process.env

// The tests compile before they begin: what is compiled starts in a third of the time.
if (compiled) {
  await import(`${compiled}/${name}.js`)
} else {
  const { register } = await import('tsx/esm/api')
  register()
  await import(`./${name}.ts`)
}
