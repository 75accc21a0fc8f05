import {
  allTables,
  type BalanceCheck,
  checkBalances,
  type DayDifference,
  type DaySums,
  forgetPositions,
  type Reconciliation,
  reconcile,
} from '../../connectors/index.ts'
import { systemClock, type TopicPartition } from '../../streams/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { CheckError, UsageError } from '../errors.ts'
import type { BackfillFlags, ReconcileFlags } from '../flags.ts'
import { count, table } from '../output.ts'
import { type OpenedPlatform, withPlatform } from '../pipeline/data-platform.ts'

type TableCheck = Reconciliation & { readonly table: string; readonly balances?: BalanceCheck }

/**
 * Compares every table with the log, and the entries of points with each other; throws a `CheckError` where one differs,
 * once all of it is told.
 */
export async function reconcilePlatform(context: Context, flags: ReconcileFlags): Promise<void> {
  const { config } = configure(context, flags)
  const { output, stop } = context
  const found = await withPlatform(context, config, (platform) => checkTables(platform, stop))
  if (flags.json === true) output.data(JSON.stringify(found, null, 2))
  else printChecks(context, found)
  const days = found.flatMap(({ differences }) => differences).length
  const users = found.reduce((sum, { balances }) => sum + (balances?.wrong ?? 0), 0)
  if (days + users === 0) return
  const what = [
    ...(days > 0 ? [`${count(days)} days differ`] : []),
    ...(users > 0 ? [`the points of ${count(users)} users do not add up`] : []),
  ]
  throw new CheckError(`${what.join(', ')}; millrace data-platform backfill writes them anew`)
}

async function checkTables(
  { database, topics, log, config: { application } }: OpenedPlatform,
  signal: AbortSignal,
): Promise<readonly TableCheck[]> {
  const all: TableCheck[] = []
  for (const one of allTables) {
    const topic = topics[one.topic]
    const options = { log, clock: systemClock, database, application, table: one, topic, signal }
    const balances = one.name === 'point_entry' ? { balances: await checkBalances(database) } : {}
    all.push({ table: one.name, ...(await reconcile(options)), ...balances })
  }
  return all
}

function printChecks({ output }: Context, found: readonly TableCheck[]): void {
  const rows = found.map(({ table: name, lines, ranges }) => {
    const behind = ranges.reduce((sum, range) => sum + range.behind, 0)
    return [name, lines, behind] as const
  })
  output.data(table(['table', 'compared', 'not there yet'], rows))
  const differences = found.flatMap(({ table: name, differences: some }) =>
    some.map((difference) => differenceRow({ table: name, ...difference })),
  )
  if (differences.length > 0)
    output.data(table(['table', 'day', 'kind', 'in the log', 'in the table'], differences))
  for (const { balances } of found) if (balances !== undefined) printBalances(output, balances)
}

function printBalances(
  output: Context['output'],
  { users, incomplete, wrong, wrongUsers }: BalanceCheck,
): void {
  if (incomplete > 0)
    output.data(`points: of ${count(incomplete)} of ${count(users)} users entries are missing`)
  if (wrong > 0)
    output.data(`points do not add up: ${wrongUsers.join(', ')}${wrong > wrongUsers.length ? ', …' : ''}`)
}

function differenceRow(difference: DayDifference & { readonly table: string }) {
  const { table: name, day, kind, logged, stored } = difference
  return [name, day, kind, sumsText(logged), sumsText(stored)] as const
}

function sumsText(sums: DaySums | undefined): string {
  if (sums === undefined) return 'nothing'
  const words = Object.entries(sums.sums).map(([name, sum]) => `${name} ${sum}`)
  return [`${sums.lines} lines`, ...words].join(', ')
}

/** Lets the platform go through the log anew; says what the log does not hold any more. */
export async function backfillPlatform(context: Context, flags: BackfillFlags): Promise<void> {
  const { config } = configure(context, flags)
  const { output } = context
  if (flags.empty === true && flags.yes !== true)
    throw new UsageError('--empty deletes rows that the log may not hold any more: give --yes as well')
  await withPlatform(context, config, async (platform) => {
    const missing = await notRetained(platform)
    const {
      database,
      config: { application },
    } = platform
    const rows = await forgetPositions({ database, application, empties: flags.empty === true })
    if (flags.json === true) return output.data(JSON.stringify({ rows, notRetained: missing }, null, 2))
    for (const { topic, partition, before } of missing)
      output.data(`not retained: ${topic}-${partition} before offset ${before}`)
    const went = flags.empty === true ? `${count(rows)} rows are deleted. ` : ''
    const how = 'through the log from its beginning and writes every row over'
    output.say(
      `${went}The next start goes ${how}; a process that runs does so with the next record of each partition.`,
    )
  })
}

async function notRetained({
  log,
  topics,
}: OpenedPlatform): Promise<(TopicPartition & { before: number })[]> {
  const partitions = allTables.flatMap(({ topic }) => {
    const { name } = topics[topic]
    return Array.from({ length: log.partitions(name) }, (_, partition) => ({ topic: name, partition }))
  })
  const starts = await Promise.all(
    partitions.map(async (at) => ({ ...at, before: (await log.bounds(at)).start })),
  )
  return starts.filter(({ before }) => before > 0)
}
