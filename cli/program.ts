/** The commands. Groups of them with their flags are in `program-*.ts`; what each does is in `commands/`, loaded when it is asked for. */
import { Command } from 'commander'
import type { Context } from './context.ts'
import { addBindings } from './program-bindings.ts'
import { addSchemas, addTopics, addUp } from './program-cluster.ts'
import { addDataPlatform, addExport } from './program-data-platform.ts'
import { addDeadLetters } from './program-dlq.ts'
import { addDemo, addLoad, addSeed } from './program-load.ts'
import { addMail } from './program-mail.ts'
import { addOrder } from './program-order.ts'
import { addPrivacy } from './program-privacy.ts'
import { addConfig, addReplay, addStart, addTopology } from './program-shop.ts'
import { addBackup, addMigrate, addRepartition, addReset, addRestore, addState } from './program-state.ts'

export function buildProgram(context: Context): Command {
  const program = new Command('millrace')
    .description('A stream processing engine on a durable log, and a shop that runs on it.')
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.output.data(text.trimEnd()),
      writeErr: (text) => context.output.say(text.trimEnd()),
      outputError: (text, write) =>
        write(text.replace(/^error: /, `${context.output.paint('red', 'millrace:')} `)),
    })
    .showHelpAfterError('(millrace --help lists the commands and their flags)')
  addStart(program, context)
  addReplay(program, context)
  addSeed(program, context)
  addLoad(program, context)
  addDemo(program, context)
  addTopology(program, context)
  addTopics(program, context)
  addDeadLetters(program, context)
  addOrder(program, context)
  addMail(program, context)
  addBackup(program, context)
  addRestore(program, context)
  addReset(program, context)
  addState(program, context)
  addPrivacy(program, context)
  addMigrate(program, context)
  addRepartition(program, context)
  addDataPlatform(program, context)
  addExport(program, context)
  addConfig(program, context)
  addSchemas(program, context)
  addBindings(program, context)
  addUp(program, context)
  return program
}
