import { resolve } from 'node:path'
import { taskName } from '../../streams/index.ts'
import type { RebuildReport } from '../../transports/embedded/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { CheckError } from '../errors.ts'
import type { RebuildFlags } from '../flags.ts'
import { table } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { restoreInto } from '../pipeline/restored-tasks.ts'
import { knownTopology } from '../pipeline/topologies.ts'

/**
 * Makes the stores of a topology anew in a directory of its own: embedded from the log, into a copy of it; on Kafka from
 * the changelogs. Throws a `CheckError`, leaving nothing, where it cannot be done.
 */
export async function rebuildState(context: Context, topology: string, flags: RebuildFlags): Promise<void> {
  const { config: given } = configure(context, flags)
  const { output, version, cwd, stop } = context
  const directory = resolve(cwd, flags.to)
  if (given.kafka.brokers.length > 0) {
    const known = knownTopology(given, topology)
    const restored = await restoreInto({ config: given, version, topology: known, directory, signal: stop })
    const rows = restored.map(({ task, changes, rows: some }) => [taskName(task), changes, some] as const)
    if (flags.json === true) output.data(JSON.stringify({ directory, restored }, null, 2))
    else output.data(table(['task', 'changes', 'rows'], rows))
    return output.say(`Restored ${topology} from its changelogs into ${directory}.`)
  }
  const { log, config } = await openOfflineLog(given, { checkTables: false })
  const report = await closeAfter(
    () => log.rebuildInto(directory, knownTopology(config, topology)),
    () => log.close(),
  )
  if (flags.json === true) output.data(JSON.stringify({ directory, ...report }, null, 2))
  else printReport(context, report)
  if (report.refused.length > 0)
    throw new CheckError(`${topology} cannot be rebuilt: restore a backup, or reset it; nothing was written`)
  output.say(`Rebuilt ${topology} into ${directory}, with a copy of everything else.`)
}

function printReport({ output }: Context, { rebuilt, refused, trimmed }: RebuildReport): void {
  for (const { topic, partition, offset } of trimmed)
    output.data(`not retained: ${topic}-${partition} before offset ${offset}`)
  for (const { task, why } of refused) output.data(`cannot be rebuilt: ${taskName(task)}: ${why}`)
  if (rebuilt.length === 0) return
  const rows = rebuilt.map(({ task, batches, records }) => [taskName(task), batches, records] as const)
  output.data(table(['task', 'batches', 'records'], rows))
}
