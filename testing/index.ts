/** Tools for testing topologies. */
export { ManualClock } from './manual-clock.ts'
export { MemoryStateDirectory } from './memory-state-directory.ts'
export {
  type DriverOptions,
  type PipeOptions,
  type ReadRecord,
  TopologyTestDriver,
} from './topology-test-driver.ts'
export type {
  AcceptedRecord,
  OutsideRecord,
  SimulatedApp,
  SimulatedLoad,
  SimulatedOutcome,
} from './simulator/app.ts'
export { planOf, type SimulationPlan } from './simulator/plan.ts'
export { shrink } from './simulator/shrink.ts'
export { simulate, type SimulationOptions, type SimulationResult } from './simulator/simulate.ts'
export {
  ALL_FAULTS,
  type Fault,
  FAULTS,
  type Random,
  type TrueRecord,
} from '../transports/simulated/index.ts'
