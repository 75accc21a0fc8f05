/** The commands about the data platform, and their flags. */
import { type Command, Option } from 'commander'
import type { TableName } from '../connectors/index.ts'
import type { Context } from './context.ts'
import type { BackfillFlags, ExportFlags, ReconcileFlags } from './flags.ts'
import { json, withDataDir, withKafka } from './program-options.ts'

const TABLES: readonly TableName[] = ['order_line', 'coupon_use', 'point_entry']

export function addExport(program: Command, context: Context): void {
  const command = program
    .command('export')
    .description('Write rows of the data platform into a file.')
    .addOption(
      new Option('--format <format>', 'of the file').choices(['parquet', 'csv']).makeOptionMandatory(),
    )
    .addOption(new Option('--table <table>', 'which rows').choices(TABLES).default('order_line'))
    .option('--from <time>', 'a day or a moment, UTC; else from the first row')
    .option('--to <time>', 'before this day or moment; else to the last row')
    .requiredOption('--out <file>', 'where to; it is replaced')
  json(withDataDir(command), 'print the result as JSON').action(async (flags: ExportFlags) => {
    const { exportTable } = await import('./commands/export.ts')
    await exportTable(context, flags)
  })
}

export function addDataPlatform(program: Command, context: Context): void {
  const platform = program
    .command('data-platform')
    .description('What the data platform has of the log; embedded, while no process runs.')
  const add = (name: string, description: string): Command =>
    withKafka(withDataDir(platform.command(name).description(description))).option(
      '--registry <url>',
      'schema registry: root of its Confluent API; in Kafka mode',
    )
  json(
    add('reconcile', 'Compare counts and sums of each day with the log; exit code 3 where they differ.'),
    'print what was found as JSON',
  ).action(async (flags: ReconcileFlags) => {
    const { reconcilePlatform } = await import('./commands/data-platform.ts')
    await reconcilePlatform(context, flags)
  })
  const backfill = add('backfill', 'Let it go through the log again from the beginning.')
    .option('--empty', 'delete its rows first, also those that the log does not hold any more')
    .option('--yes', 'do that')
  json(backfill, 'print the result as JSON').action(async (flags: BackfillFlags) => {
    const { backfillPlatform } = await import('./commands/data-platform.ts')
    await backfillPlatform(context, flags)
  })
}
