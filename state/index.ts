export type { Entry, KeyRange, PageOptions, StateBackend, StateReader, WriteOp } from './backend.ts'
export {
  isStateError,
  StateError,
  type StateErrorCode,
  stateErrorTable,
  type StateReaction,
} from './errors.ts'
export {
  dumpStore,
  type DumpedRow,
  type DumpOptions,
  keyBeginning,
  type StoredRow,
  storedRows,
  type UnreadableRow,
  verifyStores,
} from './inspect.ts'
export { defaultWriteBufferBytes, LevelDatabase, type LevelOptions, openLevelDb } from './level.ts'
export { type Identity, stateFormat } from './level-dir.ts'
export { keys } from './keys.ts'
export { memoryBackend, type MemoryBackendOptions } from './memory.ts'
export { numberedBackend } from './numbered.ts'
export { rebuildIndexes } from './rebuild.ts'
export {
  BatchRing,
  bytesOf,
  readRing,
  type RingOptions,
  type RingRow,
  type RingVerdict,
  verifyRing,
} from './ring.ts'
export type { SealedChange } from './seal.ts'
export { type KeyCodec, type Serde, serdes } from './serde.ts'
export { keyValueStore, type KeyValueStoreOptions, windowStore, type WindowStoreOptions } from './specs.ts'
export type {
  AnyStoreSpec,
  CommittedView,
  HandleOf,
  IndexRow,
  IndexSpec,
  KeyPrefix,
  KeyValueStore,
  KeyValueStoreSpec,
  ReadOnlyKeyValueStore,
  Scan,
  ScanOptions,
  ScanRequest,
  ScanRow,
  StoreIndex,
  Upcast,
  ViewOf,
  ViewPageOptions,
  WindowedKey,
  WindowStore,
  WindowStoreSpec,
} from './stores.ts'
export {
  type TaskDatabaseBudget,
  TaskDatabases,
  type TaskDatabasesOptions,
  type TaskKey,
} from './task-databases.ts'
export { CacheBudget } from './read-cache.ts'
export { type RowWatch, type SealedBatch, TaskState, type TaskStateOptions } from './task-state.ts'
export { timerStoreName } from './timer-book.ts'
export type { DueTimer, TimerClock, TimerHandle } from './timers.ts'
