/** The commands about what a shop has stored, and their flags. */
import { type Command, Option } from 'commander'
import type { Context } from './context.ts'
import type {
  DirectoryFlags,
  DumpFlags,
  MigrateFlags,
  RebuildFlags,
  RepartitionFlags,
  ResetFlags,
  RestoreFlags,
  StateFlags,
} from './flags.ts'
import { collect, json, whole, withDataDir, withKafka } from './program-options.ts'

export function addBackup(program: Command, context: Context): void {
  const command = program
    .command('backup')
    .description('Copy log and state of a shop, running or not, into an empty or new directory.')
    .argument('<directory>', 'where the copy goes')
  json(withDataDir(command), 'print the result as JSON').action(
    async (directory: string, flags: DirectoryFlags) => {
      const { backup } = await import('./commands/backup.ts')
      await backup(context, directory, flags)
    },
  )
}

export function addRestore(program: Command, context: Context): void {
  const command = program
    .command('restore')
    .description('Put a backup into the data directory, which must be empty, and check every record of it.')
    .argument('<directory>', 'the backup')
    .option('--erasures <file>', 'list of the users that were erased since; they are erased again')
  json(withDataDir(command), 'print the result as JSON').action(
    async (directory: string, flags: RestoreFlags) => {
      const { restore } = await import('./commands/restore.ts')
      await restore(context, directory, flags)
    },
  )
}

export function addReset(program: Command, context: Context): void {
  const command = program
    .command('reset')
    .description('Let a topology that does not run begin anew: positions, state and internal topics go.')
    .argument('<topology>', 'as millrace topology names it')
    .option('--yes', 'do it; else it is only said what would go')
    .option('--local', 'in Kafka mode: only the databases in this data directory')
  json(withKafka(withDataDir(command)), 'print what goes as JSON').action(
    async (topology: string, flags: ResetFlags) => {
      const { reset } = await import('./commands/reset.ts')
      await reset(context, topology, flags)
    },
  )
}

export function addMigrate(program: Command, context: Context): void {
  const command = program
    .command('migrate')
    .description('Bring an embedded shop that does not run to a Kafka cluster, where it goes on.')
    .addOption(new Option('--to <log>', 'where to').choices(['kafka']))
    .option('--registry <url>', 'schema registry of the cluster: root of its Confluent API')
    .option('--dry-run', 'only say what would be brought, and what the cluster has')
    .option('--abandon', 'give up what was begun: the directory serves again')
  json(withKafka(withDataDir(command)), 'print the result as JSON').action(async (flags: MigrateFlags) => {
    const { migrateShop } = await import('./commands/migrate.ts')
    await migrateShop(context, flags)
  })
}

export function addRepartition(program: Command, context: Context): void {
  const command = program
    .command('repartition')
    .description('Give topics more partitions, in a copy of an embedded log that does not run.')
    .requiredOption('--topic <name>', 'and all that must have as many; may be repeated', collect)
    .requiredOption('--partitions <number>', 'that each of them gets', whole(2, 65_535))
    .requiredOption('--to <directory>', 'where the copy goes; must not be there')
  json(withKafka(withDataDir(command)), 'print the result as JSON').action(
    async (flags: RepartitionFlags) => {
      const { repartitionTopics } = await import('./commands/repartition.ts')
      await repartitionTopics(context, flags)
    },
  )
}

export function addState(program: Command, context: Context): void {
  const state = program
    .command('state')
    .description('What a data directory, or a backup, has stored; while no process has it open.')
  const add = (name: string, description: string): Command =>
    withKafka(withDataDir(state.command(name).description(description)))
  json(
    add('verify', 'Check every row, and how they join; exit code 3 where something is damaged.'),
    'print what was found as JSON',
  ).action(async (flags: StateFlags) => {
    const { verifyState } = await import('./commands/state.ts')
    await verifyState(context, flags)
  })
  add('dump', 'Print the rows of a store, a line of JSON each.')
    .argument('<topology>', 'as millrace topology names it')
    .argument('<store>', "one of its stores, or 'timers'")
    .option('--prefix <prefix>', 'only keys that begin so: text, or a JSON array of the first parts')
    .option('--limit <number>', 'rows at most', whole(0, Number.MAX_SAFE_INTEGER))
    .action(async (topology: string, store: string, flags: DumpFlags) => {
      const { dumpState } = await import('./commands/state.ts')
      await dumpState(context, { topology, store }, flags)
    })
  json(add('compact', 'Write the database anew, without what was deleted.'), 'print sizes as JSON').action(
    async (flags: StateFlags) => {
      const { compactState } = await import('./commands/state.ts')
      await compactState(context, flags)
    },
  )
  const rebuild = add('rebuild', 'Make the stores of a topology anew, in a new directory.')
    .argument('<topology>', 'as millrace topology names it')
    .requiredOption('--to <directory>', 'must not be there')
  json(rebuild, 'print the result as JSON').action(async (topology: string, flags: RebuildFlags) => {
    const { rebuildState } = await import('./commands/rebuild.ts')
    await rebuildState(context, topology, flags)
  })
}
