import type { TopicPlan } from '../../transports/kafka/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { CheckError, UsageError } from '../errors.ts'
import type { TopicsFlags } from '../flags.ts'
import { table } from '../output.ts'
import { openTopicCluster, type TopicCluster } from '../pipeline/kafka-topics.ts'

/** Shows what the cluster's topics lack; throws a `CheckError` unless all are as configured. */
export function planTopics(context: Context, flags: TopicsFlags): Promise<void> {
  return onCluster(context, flags, async (cluster) => {
    const plans = await cluster.plan()
    print(context, flags, plans)
    const open = plans.filter(({ action }) => action !== 'ok')
    if (open.length > 0)
      throw new CheckError(`${open.length} of ${plans.length} topics are not as configured`)
  })
}

/** Makes and alters topics; throws a `CheckError`, having done nothing, where one differs in what cannot change. */
export function applyTopics(context: Context, flags: TopicsFlags): Promise<void> {
  return onCluster(context, flags, async (cluster) => {
    const plans = await cluster.plan()
    print(context, flags, plans)
    const names = plans.filter(({ action }) => action === 'mismatch').map(({ name }) => name)
    if (names.length > 0) throw new CheckError(`nothing was changed: ${names.join(', ')} cannot be`)
    await cluster.apply()
  })
}

async function onCluster(
  context: Context,
  flags: TopicsFlags,
  work: (cluster: TopicCluster) => Promise<void>,
): Promise<void> {
  const { config } = configure(context, flags)
  if (config.kafka.brokers.length === 0)
    throw new UsageError('no cluster: give --kafka, or set kafka.brokers')
  const cluster = await openTopicCluster(config, context.version)
  await closeAfter(
    () => work(cluster),
    () => cluster.close(),
  )
}

function print({ output }: Context, { json }: TopicsFlags, plans: readonly TopicPlan[]): void {
  if (json === true) return output.data(JSON.stringify(plans, null, 2))
  const rows = plans.map(({ name, action, differences }) => {
    const words = differences.map(({ setting, found, wanted }) => `${setting} ${found}, not ${wanted}`)
    return [name, action, words.join('; ')]
  })
  output.data(table(['topic', 'action', 'differences'], rows))
}
