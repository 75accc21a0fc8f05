/** The commands about dead letters, and their flags. */
import { type Command, Option } from 'commander'
import type { Context } from './context.ts'
import type { DeadLetterFlags, DeadLetterListFlags, DeadLetterShowFlags, RedriveFlags } from './flags.ts'
import { collect, json, whole, withDataDir } from './program-options.ts'

export function addDeadLetters(program: Command, context: Context): void {
  const dlq = program.command('dlq').description('Dead letters of a shop that runs, and what they stopped.')
  const add = (name: string, description: string): Command => {
    const command = withDataDir(dlq.command(name).description(description))
    return json(command, 'print the result as JSON').option(
      '--url <url>',
      'the shop; else the one that runs on the data directory',
    )
  }
  const state = new Option('--state <state>', 'those not sent back yet, those that were, or all')
  add('list', 'Where they are and why, without what is in them.')
    .option('--topic <name>', 'of this topic; else of all')
    .option('--error <name>', 'with this class of failure')
    .option('--from <time>', 'of records not before this, ISO 8601')
    .option('--to <time>', 'of records before this')
    .option('--key <key>', 'with this key')
    .addOption(state.choices(['waiting', 'sent', 'all']).default('waiting'))
    .option('--causes', 'count them by topic and failure')
    .option('--limit <number>', 'how many', whole(1, 1_000_000), 100)
    .action(async (flags: DeadLetterListFlags) => {
      const { listDeadLetters } = await import('./commands/dlq.ts')
      await listDeadLetters(context, flags)
    })
  add('show', 'One of them.')
    .argument('<position>', 'topic:partition:offset, as list prints it')
    .option('--typed', 'with the fields of its value, personal ones masked')
    .addOption(new Option('--raw', 'with everything, in hex; goes on record').conflicts('typed'))
    .action(async (position: string, flags: DeadLetterShowFlags) => {
      const { showDeadLetter } = await import('./commands/dlq.ts')
      await showDeadLetter(context, position, flags)
    })
  add('redrive', 'Send them back to their topics, those of a key one after the other.')
    .requiredOption(
      '--filter <key=value>',
      'topic=… and error, from, to, key, partition, offset; may be repeated, or with commas',
      collect,
      [],
    )
    .option('--dry-run', 'say what would be sent, and send nothing')
    .option('--ignore-earlier', 'also those with an earlier one of their key that the filter leaves out')
    .action(async (flags: RedriveFlags) => {
      const { redriveDeadLetters } = await import('./commands/dlq.ts')
      await redriveDeadLetters(context, flags)
    })
  add('resume', 'Let a task go on that their flood has paused.')
    .argument('<task>', 'as /readyz names it, for example best-sellers.0_3')
    .action(async (task: string, flags: DeadLetterFlags) => {
      const { resumeTask } = await import('./commands/dlq.ts')
      await resumeTask(context, task, flags)
    })
}
