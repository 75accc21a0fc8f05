/**
 * `millrace migrate --to kafka` that dies by SIGKILL at a step:
 *
 *     node migration-process.ts <step> <which time> <data directory> <brokers>
 */
import { migrateShop } from '../../../cli/commands/migrate.ts'
import { terminal } from '../../../cli/output.ts'

const [step, times = '1', dataDir = '', kafka = ''] = process.argv.slice(2)
let left = Number(times)
const context = {
  output: terminal,
  env: {},
  cwd: process.cwd(),
  stop: new AbortController().signal,
  version: '0.0.0',
}
await migrateShop(context, { to: 'kafka', dataDir, kafka }, (reached) => {
  if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL')
})
