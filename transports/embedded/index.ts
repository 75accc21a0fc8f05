export { restoreBackup } from './backup.ts'
export { EmbeddedLog, type LogStats, type PartitionStats } from './embedded-log.ts'
export type { HousekeepingReport } from './housekeeping.ts'
export type { RebuildReport, RebuiltTask, RefusedTask } from './rebuild.ts'
export type { ResetReport, ResetRequest, TaskReset, TopicReset } from './reset.ts'
export { openEmbeddedLog } from './open.ts'
export {
  type BatchEvent,
  defaultLimits,
  type EmbeddedLogHooks,
  type EmbeddedLogLimits,
  type EmbeddedLogOptions,
} from './options.ts'
export { type OnDamage, type Verified, verifyLog } from './verify.ts'
