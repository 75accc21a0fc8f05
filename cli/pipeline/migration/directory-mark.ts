/**
 * What a data directory remembers of its migration: from the first step on no shop starts on it, since what came in later
 * would not be on the cluster.
 *
 * | stage | is |
 * | --- | --- |
 * | `copying` | nothing of it counts yet: it may be given up |
 * | `committing` | all of it is on the cluster and was compared; groups get their positions |
 * | `done` | the cluster has it |
 */
import { randomBytes } from 'node:crypto'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { DirectoryError } from '../../errors.ts'

const SETTING = 'cli.migration'
const ID_BYTES = 8

export interface MigrationMark {
  /** Drawn once: what is on a cluster says by it whose it is. */
  readonly id: string
  readonly stage: 'copying' | 'committing' | 'done'
  /** As they were given. */
  readonly brokers: readonly string[]
}

export async function migrationMark(log: EmbeddedLog): Promise<MigrationMark | undefined> {
  return (await log.setting(SETTING)) as MigrationMark | undefined
}

export function newMark(brokers: readonly string[]): MigrationMark {
  return { id: randomBytes(ID_BYTES).toString('hex'), stage: 'copying', brokers }
}

/** Durable when it resolves; `undefined` takes it away. */
export function putMigrationMark(log: EmbeddedLog, mark: MigrationMark | undefined): Promise<void> {
  return log.putSetting(SETTING, mark)
}

/** Throws a `DirectoryError`, naming the way out, where the directory is or becomes a cluster's. */
export async function refuseMigrated(log: EmbeddedLog): Promise<void> {
  const mark = await migrationMark(log)
  if (mark === undefined) return
  const brokers = mark.brokers.join(',')
  if (mark.stage === 'done')
    throw new DirectoryError(
      `the data directory was migrated to ${brokers}: 'millrace start --kafka ${brokers}' with another --data-dir goes on there`,
    )
  const wayBack = mark.stage === 'copying' ? `, or give it up with 'millrace migrate --abandon'` : ''
  throw new DirectoryError(
    `a migration of the data directory to ${brokers} was begun and not finished: run 'millrace migrate --to kafka --kafka ${brokers}' again${wayBack}`,
  )
}
