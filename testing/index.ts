/** Tools for testing topologies. */
export { ManualClock } from './manual-clock.ts'
export { MemoryStateDirectory } from './memory-state-directory.ts'
export {
  type DriverOptions,
  type PipeOptions,
  type ReadRecord,
  TopologyTestDriver,
} from './topology-test-driver.ts'
