/** The commands about the profiles of shops with topics of their own. */
import type { Command } from 'commander'
import type { Context } from './context.ts'
import type { BindingsFlags, BindingsTryFlags } from './flags.ts'
import { json } from './program-options.ts'

export function addBindings(program: Command, context: Context): void {
  const bindings = program
    .command('bindings')
    .description("What becomes of a shop's own messages, before anything runs.")
  const check = bindings
    .command('check')
    .description('Read profiles as a start does, and list what is bound to what.')
    .argument('<profile...>', 'files')
  json(check, 'print the result as JSON').action(async (files: string[], flags: BindingsFlags) => {
    const { checkBindings } = await import('./commands/bindings.ts')
    await checkBindings(context, files, flags)
  })
  const attempt = bindings
    .command('try')
    .description('Show what messages would become; nothing is written. Exit code 3 if one does not fit.')
    .argument('<profile>', 'a file')
    .requiredOption('--topic <topic>', 'where the messages come from, by its own name')
    .option('--samples <file>', 'a message or a list of them, JSON; else stdin')
    .option('--views <file>', 'what `$view` finds, JSON: {topic: {key: value}}')
  json(attempt, 'print the result as JSON').action(async (file: string, flags: BindingsTryFlags) => {
    const { tryBindings } = await import('./commands/bindings.ts')
    await tryBindings(context, file, flags)
  })
}
