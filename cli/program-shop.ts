/** The commands that run a shop, or say how it would run, and their flags. */
import { type Command, Option } from 'commander'
import type { Context } from './context.ts'
import type { ReplayFlags, StartFlags, TopologyFlags } from './flags.ts'
import { json, positive, withDataDir, withKafka } from './program-options.ts'

export function addStart(program: Command, context: Context): void {
  const command = program.command('start').description('Run the shop until SIGINT or SIGTERM.')
  withConfig(command)
    .option('--workers <number>', 'processes to run, in Kafka mode')
    .addOption(new Option('--with-parent', 'end with the process that started it').hideHelp())
  json(command, 'print where it listens as a line of JSON').action(async (flags: StartFlags) => {
    const { start } = await import('./commands/start.ts')
    await start(context, flags)
  })
}

export function addReplay(program: Command, context: Context): void {
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

export function addTopology(program: Command, context: Context): void {
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

export function addConfig(program: Command, context: Context): void {
  const command = program
    .command('config')
    .description('Print the configuration as it comes out, without secrets.')
  json(withConfig(command), 'print it as JSON').action(async (flags: StartFlags) => {
    const { printConfig } = await import('./commands/config.ts')
    printConfig(context, flags)
  })
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
