/** The commands and their flags. What each does is in `commands/`, loaded when it is asked for. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { UpFlags } from './commands/up.ts'
import type { Context } from './context.ts'
import type {
  DemoFlags,
  DirectoryFlags,
  DumpFlags,
  LoadFlags,
  MigrateFlags,
  RebuildFlags,
  RepartitionFlags,
  ReplayFlags,
  ResetFlags,
  RestoreFlags,
  SchemasFlags,
  StartFlags,
  StateFlags,
  TopicsFlags,
  TopologyFlags,
} from './flags.ts'
import { addDeadLetters } from './program-dlq.ts'
import { collect, json, whole, withDataDir, withFile } from './program-options.ts'

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
  addLoad(program, context)
  addDemo(program, context)
  addTopology(program, context)
  addTopics(program, context)
  addDeadLetters(program, context)
  addBackup(program, context)
  addRestore(program, context)
  addReset(program, context)
  addState(program, context)
  addMigrate(program, context)
  addRepartition(program, context)
  addConfig(program, context)
  addSchemas(program, context)
  addUp(program, context)
  return program
}

/** Flags of every command that runs a shop. */
function withConfig(command: Command): Command {
  return withKafka(withDataDir(command))
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on; 0 takes a free one')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .option('--registry <url>', 'schema registry: root of its Confluent API; in Kafka mode')
    .option('--topologies <names>', 'those to run, with commas between; else all')
}

function withKafka(command: Command): Command {
  return command.option('--kafka <brokers>', 'Kafka mode: brokers to begin with, host:port,host:port')
}

function addStart(program: Command, context: Context): void {
  const command = program.command('start').description('Run the shop until SIGINT or SIGTERM.')
  withConfig(command)
    .option('--workers <number>', 'processes to run, in Kafka mode')
    .addOption(new Option('--with-parent', 'end with the process that started it').hideHelp())
  json(command, 'print where it listens as a line of JSON').action(async (flags: StartFlags) => {
    const { start } = await import('./commands/start.ts')
    await start(context, flags)
  })
}

function addReplay(program: Command, context: Context): void {
  const command = program
    .command('replay')
    .description('Send recorded orders through the shop, then serve until SIGINT or SIGTERM.')
    .argument('<file...>', '"Online Retail" CSV files, .gz or not, in the order of their times')
    .addOption(
      new Option('--as-recorded', 'keep all times; the directory remembers to keep every window').conflicts(
        'endNow',
      ),
    )
    .option('--end-now', 'move all times by whole days so that the last trading day was yesterday')
    .option('--speed <factor>', 'times the recorded pace; else as fast as possible', positive)
    .option('--exit', 'end when everything is processed')
  json(withConfig(command), 'print the totals as the last line').action(
    async (files: string[], flags: ReplayFlags) => {
      const { replayFiles } = await import('./commands/replay.ts')
      await replayFiles(context, files, flags)
    },
  )
}

function addLoad(program: Command, context: Context): void {
  const load = program.command('load').description('Put load on a shop and judge what came of it.')
  const command = load
    .command('coupons')
    .description('A rush on one new coupon: open loop, latency counts from when a request was due.')
    .option('--url <url>', 'a shop that runs; else one of its own is started and ended')
    .option('--rate <number>', 'requests per second, on average', positive, 5_000)
    .option('--users <number>', 'distinct users', whole(1, 10_000_000), 20_000)
    .option('--quota <number>', 'coupons to be had', whole(1, 1_000_000_000), 1_000)
    .option('--duration <seconds>', 'how long; else until each user asked once', positive)
    .option(
      '--seed <number>',
      'same seed, same users at the same times',
      whole(0, Number.MAX_SAFE_INTEGER),
      1,
    )
    .option(
      '--connections <number>',
      'connections to the shop, and as many for requests that wait',
      whole(1, 10_000),
      64,
    )
    .option(
      '--follow <share>',
      'share of the requests whose decision is waited for and timed, 0 to 1',
      share,
      0.1,
    )
    .option(
      '--warmup <requests>',
      'requests on another coupon beforehand, which are not counted',
      whole(0, 1_000_000),
      3_000,
    )
    .option('--coupon <id>', 'id of the coupon to make; else a new one')
    .option('--no-verdicts', 'do not ask for every verdict at the end, only for those that are followed')
  json(command, 'print the report as JSON').action(async (flags: LoadFlags) => {
    const { loadCoupons } = await import('./commands/load-coupons.ts')
    await loadCoupons(context, flags)
  })
}

function addDemo(program: Command, context: Context): void {
  program
    .command('demo')
    .description('A month of real orders and a rush on a coupon, checked; then serve until Ctrl-C.')
    .option('--exit', 'end after the summary')
    .option('--port <number>', 'port to listen on; else a free one')
    .option(
      '--kafka [brokers]',
      'on Kafka: on brokers without its topics, or on one that it starts (Java, Maven)',
    )
    .option('--registry <url>', 'schema registry for given brokers: root of its Confluent API')
    .action(async (flags: DemoFlags) => {
      const { demo } = await import('./commands/demo.ts')
      await demo(context, flags)
    })
}

function addTopology(program: Command, context: Context): void {
  const format = new Option('--format <format>', 'how to print it').choices(['describe', 'mermaid', 'json'])
  const command = program
    .command('topology')
    .description('Print what is wired to what.')
    .addOption(format.default('describe'))
  withDataDir(command).action(async (flags: TopologyFlags) => {
    const { printTopology } = await import('./commands/topology.ts')
    printTopology(context, flags)
  })
}

function addTopics(program: Command, context: Context): void {
  const topics = program.command('topics').description('The topics of all topologies on a Kafka cluster.')
  const add = (name: string, description: string): Command =>
    json(withKafka(withFile(topics.command(name).description(description))), 'print the result as JSON')
  add('plan', 'Compare; exit code 3 unless all are as configured.').action(async (flags: TopicsFlags) => {
    const { planTopics } = await import('./commands/topics.ts')
    await planTopics(context, flags)
  })
  add('apply', 'Make what is missing and set retention; never deletes anything.').action(
    async (flags: TopicsFlags) => {
      const { applyTopics } = await import('./commands/topics.ts')
      await applyTopics(context, flags)
    },
  )
}

function addBackup(program: Command, context: Context): void {
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

function addRestore(program: Command, context: Context): void {
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

function addReset(program: Command, context: Context): void {
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

function addMigrate(program: Command, context: Context): void {
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

function addRepartition(program: Command, context: Context): void {
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

function addState(program: Command, context: Context): void {
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

function addConfig(program: Command, context: Context): void {
  const command = program
    .command('config')
    .description('Print the configuration as it comes out, without secrets.')
  json(withConfig(command), 'print it as JSON').action(async (flags: StartFlags) => {
    const { printConfig } = await import('./commands/config.ts')
    printConfig(context, flags)
  })
}

function addSchemas(program: Command, context: Context): void {
  const schemas = program.command('schemas').description('The schemas of all topics in a schema registry.')
  const add = (name: string, description: string): Command =>
    json(withFile(schemas.command(name).description(description)), 'print the result as JSON').option(
      '--registry <url>',
      "root of the registry's Confluent API",
    )
  add('check', 'Compare; exit code 3 unless all are registered.').action(async (flags: SchemasFlags) => {
    const { checkSchemas } = await import('./commands/schemas.ts')
    await checkSchemas(context, flags)
  })
  add('register', 'Register what is not, and keep each compatible with all of its versions.').action(
    async (flags: SchemasFlags) => {
      const { registerSchemas } = await import('./commands/schemas.ts')
      await registerSchemas(context, flags)
    },
  )
}

function addUp(program: Command, context: Context): void {
  const brokers = new Option('--brokers <number>', 'how many, each a process')
    .choices(['1', '3'])
    .default('1')
  const command = program
    .command('up')
    .description(
      'Run Kafka and a schema registry on this machine until SIGINT or SIGTERM; needs Java and Maven.',
    )
    .option('--data-dir <directory>', 'where records and schemas are kept', '.millrace-kafka')
    .addOption(brokers)
    .option('--kafka-version <version>', 'like 3.9.1; fetched once')
    .option('--no-registry', 'without a schema registry')
    .option(
      '--port <number>',
      'of the first broker, others follow; else 9092 if free; 0 takes a free one',
      port,
    )
    .option('--registry-port <number>', 'of the registry; else 8081 if free; 0 takes a free one', port)
  json(command, 'print where they listen as a line of JSON').action(async (flags: UpFlags) => {
    const { up } = await import('./commands/up.ts')
    await up(context, flags)
  })
}

function port(text: string): number {
  return whole(0, 65_535)(text)
}

function positive(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 1) return value
  throw new InvalidArgumentError('It must be a number from 0 to 1.')
}
