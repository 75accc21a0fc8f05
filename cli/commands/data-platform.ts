import {
  allTables,
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

/** Compares every table with the log; throws a `CheckError` where one differs, once all of it is told. */
export async function reconcilePlatform(context: Context, flags: ReconcileFlags): Promise<void> {
  const { config } = configure(context, flags)
  const { output, stop: signal } = context
  const found = await withPlatform(
    context,
    config,
    async ({ database, topics, log, config: { application } }) => {
      const all: (Reconciliation & { readonly table: string })[] = []
      for (const one of allTables) {
        const topic = topics[one.topic]
        const result = await reconcile({
          log,
          clock: systemClock,
          database,
          application,
          table: one,
          topic,
          signal,
        })
        all.push({ table: one.name, ...result })
      }
      return all
    },
  )
  const differences = found.flatMap(({ table: name, differences: some }) =>
    some.map((difference) => ({ table: name, ...difference })),
  )
  if (flags.json === true) output.data(JSON.stringify(found, null, 2))
  else {
    const rows = found.map(({ table: name, lines, ranges }) => {
      const behind = ranges.reduce((sum, range) => sum + range.behind, 0)
      return [name, lines, behind] as const
    })
    output.data(table(['table', 'compared', 'not there yet'], rows))
    if (differences.length > 0)
      output.data(
        table(['table', 'day', 'kind', 'in the log', 'in the table'], differences.map(differenceRow)),
      )
  }
  if (differences.length > 0)
    throw new CheckError(
      `${count(differences.length)} days differ; millrace data-platform backfill writes them anew`,
    )
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
    const who = config.kafka.brokers.length > 0 ? 'The processes that run go' : 'The next start goes'
    output.say(`${went}${who} through the log from its beginning and write every row over.`)
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
