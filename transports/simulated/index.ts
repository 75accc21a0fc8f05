/** A `Log` in memory, and a simulated world of brokers, networks, disks and clocks in which logs run from one seed. */
export { ALL_FAULTS, type Fault, Faults, FAULTS } from './faults.ts'
export { MemoryLog, type MemoryLogOptions, MemoryStorage } from './memory-log.ts'
export { SimulatedDisk } from './disk.ts'
export { SimulatedProcess } from './process.ts'
export { type Random, seededRandom } from './random.ts'
export { Scheduler } from './scheduler.ts'
export { SimulatedWorld, type TrueRecord, type WorldOptions } from './world.ts'
