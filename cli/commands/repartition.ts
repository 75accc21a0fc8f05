import { resolve } from 'node:path'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { RepartitionFlags } from '../flags.ts'
import { table } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { allConsumers } from '../pipeline/consumers.ts'
import { refuseMigrated } from '../pipeline/migration/directory-mark.ts'
import { planRepartition, refuseUntold, refuseWaiting } from '../pipeline/repartition/plan.ts'
import { repartition } from '../pipeline/repartition/repartition.ts'
import { shopTopologies } from '../pipeline/topologies.ts'

/** Makes a copy with more partitions. Throws a `CheckError`, leaving nothing that has the copy's name, where it cannot. */
export async function repartitionTopics(context: Context, flags: RepartitionFlags): Promise<void> {
  const { config: given } = configure(context, flags)
  if (given.kafka.brokers.length > 0)
    throw new UsageError('only where the log is in the data directory: see docs/state-tools.md')
  const { output, cwd, stop: signal } = context
  const directory = resolve(cwd, flags.to)
  const { log, config } = await openOfflineLog(given)
  const work = async () => {
    await refuseMigrated(log)
    const all = [...shopTopologies(config).all, ...(await allConsumers(config))]
    const plan = planRepartition(all, flags.topic)
    refuseUntold(log, all, plan)
    await refuseWaiting(log, plan)
    const { partitions } = flags
    const { application } = config
    return repartition({ source: log, application, topologies: all, plan, partitions, directory, signal })
  }
  const report = await closeAfter(work, () => log.close())
  const overrides = Object.fromEntries(report.topics.map(({ topic, to }) => [topic, { partitions: to }]))
  if (flags.json === true) output.data(JSON.stringify({ directory, ...report, overrides }, null, 2))
  else {
    const { topics, rows, moved } = report
    output.data(
      table(
        ['topic', 'had', 'has'],
        topics.map(({ topic, from, to }) => [topic, from, to]),
      ),
    )
    output.data(table(['rows', 'moved'], [[rows, moved]]))
  }
  if (report.deadLettersLeft > 0)
    output.say(`${report.deadLettersLeft} dead letters stay behind: they would go back to where they were.`)
  output.say(
    `Made ${directory}; start it with topics.overrides that have ${JSON.stringify(overrides)}. ${config.dataDir} is as it was.`,
  )
}
