import { type Check, examine } from '../../index.ts'
import {
  defineCommand,
  deviceOption,
  jsonOption,
  modelOption,
  openOptions,
  precisionOption,
  storeOptions,
} from '../options.ts'
import { exitCodes, print, printJson } from '../run.ts'

export const doctorCommand = defineCommand({
  command: 'doctor',
  describe: 'Show the settings that apply and check each part',
  options: { ...storeOptions, ...modelOption, ...deviceOption, ...precisionOption, ...jsonOption },
  builder: (yargs) => yargs.example('$0 doctor --device cuda', 'whether the GPU can be used'),
  run: async ({ json, ...args }) => {
    const checks = await examine(openOptions(args))
    if (json) printJson(checks)
    else for (const check of checks) printCheck(check)
    return checks.every(({ ok }) => ok) ? exitCodes.done : exitCodes.error
  },
})

const printCheck = ({ name, ok, details }: Check): void => {
  print(`${ok ? 'ok ' : 'BAD'}  ${name}`)
  for (const [key, value] of Object.entries(details)) print(`     ${key.padEnd(16)} ${String(value)}`)
}
