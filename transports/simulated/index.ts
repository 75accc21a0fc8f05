export { MemoryLog, type MemoryLogOptions, MemoryStorage } from './memory-log.ts'
