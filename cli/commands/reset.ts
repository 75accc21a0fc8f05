import type { Config } from '../../config/index.ts'
import { intermediateTopics, type Position, taskName, type Topology } from '../../streams/index.ts'
import type { ResetReport } from '../../transports/embedded/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { ResetFlags } from '../flags.ts'
import { table } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { type KafkaReset, planKafkaReset, resetOnKafka } from '../pipeline/kafka-reset.ts'
import { refuseMigrated } from '../pipeline/migration/directory-mark.ts'
import { shopConsumers } from '../pipeline/consumers.ts'
import { hintFor, shopTopologies } from '../pipeline/topologies.ts'

/** Prints what a topology would lose, or has lost where `--yes` is given. */
export async function reset(context: Context, topology: string, flags: ResetFlags): Promise<void> {
  const { config } = configure(context, flags)
  if (config.kafka.brokers.length === 0) {
    if (flags.local === true) throw new UsageError('--local is for Kafka mode')
    const taken = await resetEmbedded(config, topology, flags.yes === true)
    return print(context, flags, topology, { ...taken }, rowsOf(taken))
  }
  const work = flags.yes === true ? resetOnKafka : planKafkaReset
  const taken = await work({
    config,
    version: context.version,
    topology: knownToReset(config, topology),
    isLocal: flags.local === true,
  })
  print(context, flags, topology, { ...taken }, kafkaRowsOf(taken))
}

function ofProgram(config: Config): readonly Topology[] {
  return [...shopTopologies(config).all, ...shopConsumers(config)]
}

/** Connectors as well. Throws a `UsageError` where the program has neither. */
function knownToReset(config: Config, name: string): Topology {
  const all = ofProgram(config)
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageError(`there is no topology or connector ${name}; ${hintFor(name, all)}`)
}

async function resetEmbedded(given: Config, name: string, isMeant: boolean): Promise<ResetReport> {
  const { log, config } = await openOfflineLog(given)
  const work = async (): Promise<ResetReport> => {
    if (isMeant) await refuseMigrated(log)
    // One that the program has no more leaves tasks behind that hold their topics.
    const isStored = log.storedTasks().some((task) => task.topology === name)
    const known = isStored ? ofProgram(config).find((one) => one.name === name) : knownToReset(config, name)
    const request = {
      topology: name,
      internalTopics: known?.internalTopics.map((topic) => topic.name) ?? [],
      intermediateTopics: known === undefined ? [] : intermediateTopics(known),
    }
    return log.resetTopology(request, { dryRun: !isMeant })
  }
  return closeAfter(work, () => log.close())
}

type Row = readonly [what: string, name: string, detail: string]

function rowsOf({ tasks, topics }: ResetReport): readonly Row[] {
  return [
    ...tasks.map(({ task, sequence, stateBytes, positions }): Row => {
      const detail = [`${sequence} batches`, `about ${stateBytes} bytes of state`, ...positions.map(placeOf)]
      return ['task', taskName(task), detail.join(', ')]
    }),
    ...topics.map(({ topic, partition, start, end }): Row => {
      return ['records', `${topic}-${partition}`, `offsets ${start} to ${end}`]
    }),
  ]
}

function kafkaRowsOf({ cluster, databases }: KafkaReset): readonly Row[] {
  const rows: Row[] = databases.map(({ directory, task }) => ['database', taskName(task), `in ${directory}`])
  if (cluster === undefined) return rows
  const { group, positions, changelogs, internalTopics } = cluster
  return [
    ['group', group, positions.map(placeOf).join(', ')],
    ...changelogs.map((name): Row => ['changelog', name, '']),
    ...internalTopics.map((name): Row => ['internal topic', name, '']),
    ...rows,
  ]
}

function placeOf({ topic, partition, offset }: Position): string {
  return `${topic}-${partition} at ${offset}`
}

function print(
  { output }: Context,
  { json, yes }: ResetFlags,
  topology: string,
  taken: object,
  rows: readonly Row[],
): void {
  if (json === true) output.data(JSON.stringify({ topology, done: yes === true, ...taken }, null, 2))
  else output.data(table(['what', 'name', 'has'], rows))
  output.say(
    yes === true
      ? `${topology} begins anew at its next start: from the oldest records that its inputs still have.`
      : `Nothing was changed: this is what --yes would take.`,
  )
}
