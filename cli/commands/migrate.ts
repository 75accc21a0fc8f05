import type { Config } from '../../config/index.ts'
import { createLogger } from '../../telemetry/index.ts'
import type { EmbeddedLog } from '../../transports/embedded/index.ts'
import { Closing, closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { DirectoryError, UsageError } from '../errors.ts'
import type { MigrateFlags } from '../flags.ts'
import { table } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { openToolLog } from '../pipeline/kafka-topics.ts'
import { migrationMark, putMigrationMark } from '../pipeline/migration/directory-mark.ts'
import {
  inspectTarget,
  markFor,
  migrate,
  type MigrationParts,
  type MigrationReport,
  type MigrationStep,
} from '../pipeline/migration/migrate.ts'
import { planMigration } from '../pipeline/migration/plan.ts'
import { type Translate, translator, unchanged } from '../pipeline/migration/values.ts'
import type { DirectoryMode } from '../pipeline/recorded.ts'
import { openTopics } from '../pipeline/shop-topics.ts'
import { shopTopologies } from '../pipeline/topologies.ts'

/** Steps that people are told of; slices are not. */
const TOLD: Partial<Record<MigrationStep, string>> = {
  'directory marked': 'The directory is marked: no shop starts on it until the migration is finished.',
  'positions marked': 'Topics are made, groups are marked; copying.',
  copied: 'Copied; comparing.',
  compared: 'Both sides are equal; groups get their positions.',
}

/**
 * Brings an embedded shop to a cluster. Throws a `CheckError` where something did not arrive as it was, and as
 * `planMigration` and `migrate`. `onStep` is told what is durable.
 */
export async function migrateShop(
  context: Context,
  flags: MigrateFlags,
  onStep: (step: MigrationStep) => void = () => {},
): Promise<void> {
  const { config } = configure(context, flags)
  if (flags.abandon === true) return onDirectory(config, (log) => abandon(context, log))
  if (flags.to !== 'kafka') throw new UsageError('say where to: --to kafka')
  if (config.kafka.brokers.length === 0)
    throw new UsageError('no cluster: give --kafka, or set kafka.brokers')
  await onDirectory(config, (log, mode) => {
    if (mode === 'live') return toKafka(context, flags, { log, config, onStep })
    throw new DirectoryError('the directory was made by replay --as-recorded, which a cluster cannot keep')
  })
}

async function onDirectory(
  config: Config,
  work: (log: EmbeddedLog, mode: DirectoryMode) => Promise<void>,
): Promise<void> {
  const { log, mode } = await openOfflineLog(config)
  await closeAfter(
    async () => work(log, mode),
    () => log.close(),
  )
}

/** Lets the directory serve again; what is on the cluster stays, and is taken by no start. */
async function abandon({ output }: Context, log: EmbeddedLog): Promise<void> {
  const mark = await migrationMark(log)
  if (mark === undefined) return output.say('No migration of this directory was begun.')
  if (mark.stage !== 'copying')
    throw new DirectoryError(
      `all of it is on ${mark.brokers.join(',')} already: a shop here as well would decide twice; put a backup back`,
    )
  await putMigrationMark(log, undefined)
  output.say('Given up: the directory serves again. Delete what is on the cluster before another try.')
}

interface Migrating {
  readonly log: EmbeddedLog
  readonly config: Config
  readonly onStep: (step: MigrationStep) => void
}

async function toKafka(
  context: Context,
  flags: MigrateFlags,
  { log, config, onStep }: Migrating,
): Promise<void> {
  const { output, version, stop } = context
  const plan = await planMigration(log, config)
  const mark = await markFor(log, config.kafka.brokers)
  const closing = new Closing()
  const work = async (): Promise<void> => {
    const translate = await translateFor(config, stop, closing)
    const target = await openToolLog(config, version, 'migration')
    closing.add('cluster', () => target.close())
    const importer = target.importer(mark.id)
    closing.add('import', () => importer.close())
    const parts: MigrationParts = {
      config,
      plan,
      mark,
      translate,
      target,
      source: log,
      importer,
      application: config.application,
      signal: stop,
      onStep(step) {
        const told = TOLD[step]
        if (told !== undefined) output.say(told)
        onStep(step)
      },
    }
    if (flags.dryRun === true) return printPlan(context, flags, parts, await inspectTarget(parts))
    print(context, flags, parts, await migrate(parts))
  }
  await closeAfter(work, () => closing.close())
}

async function translateFor(config: Config, signal: AbortSignal, closing: Closing): Promise<Translate> {
  if (config.registry.url === undefined) return unchanged
  const logger = createLogger({ level: config.logging.level, format: 'text' })
  const schemas = await openTopics(config, { logger }, signal)
  closing.add('schemas', () => schemas.close())
  const { topics } = schemas
  return translator(shopTopologies(config).all, shopTopologies(config, topics).all, topics)
}

function printPlan(
  { output }: Context,
  { json }: MigrateFlags,
  { plan, mark, source }: MigrationParts,
  states: readonly string[],
): void {
  const partitions = source.stats().partitions.filter(({ topic }) => {
    return plan.topics.some(({ name }) => name === topic)
  })
  const topics = plan.topics.map(({ name, partitions: count }) => {
    const own = partitions.filter(({ topic }) => topic === name)
    return { topic: name, partitions: count, offsets: own.reduce((sum, { end }) => sum + end, 0) }
  })
  const groups = plan.groups.map(({ spec, tasks }, index) => {
    return { topology: spec.topology, tasks: tasks.length, onCluster: states[index] }
  })
  const { left } = plan
  if (json === true) output.data(JSON.stringify({ stage: mark.stage, topics, groups, left }, null, 2))
  else {
    output.data(
      table(
        ['topic', 'partitions', 'offsets'],
        topics.map((row) => Object.values(row)),
      ),
    )
    output.data(
      table(
        ['topology', 'tasks', 'on the cluster'],
        groups.map((row) => Object.values(row) as string[]),
      ),
    )
  }
  for (const name of left) output.say(`${name} stays behind: the program does not have it.`)
  output.say('Nothing was changed.')
}

function print(
  { output }: Context,
  { json }: MigrateFlags,
  { plan: { left }, mark, config }: MigrationParts,
  { compared, groups }: MigrationReport,
): void {
  if (json === true) output.data(JSON.stringify({ ...compared, groups, left }, null, 2))
  else if (compared !== undefined) {
    const { partitions, stores, coupons } = compared
    const rows = [...partitions, ...stores].filter(({ count }) => count > 0)
    output.data(
      table(
        ['equal on both sides', 'records', 'sha-256'],
        rows.map(({ name, count, digest }) => [name, count, digest]),
      ),
    )
    output.data(`  I1, I6 hold for ${coupons} coupons`)
  }
  for (const name of left) output.say(`${name} stays behind: the program does not have it.`)
  const brokers = config.kafka.brokers.join(',')
  output.say(
    mark.stage === 'done'
      ? `It was migrated to ${mark.brokers.join(',')} before.`
      : `Migrated: 'millrace start --kafka ${brokers}' with another --data-dir goes on where this shop stopped.`,
  )
}
