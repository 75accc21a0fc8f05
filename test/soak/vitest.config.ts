/** Runs of an hour and more: see `run.ts`. */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const SECOND_MS = 1000

export default defineConfig({
  test: {
    name: 'soak',
    root: join(import.meta.dirname, '../..'),
    include: ['test/soak/**/*.test.ts'],
    // The shop on Kafka has a broker, and Kafka's own consumer as its judge.
    globalSetup: ['test/support/kafka/global-setup.ts'],
    // One beside the other.
    maxWorkers: 2,
    // What was written in an hour, as the judge holds it to what was accepted.
    execArgv: ['--max-old-space-size=12288'],
    environment: 'node',
    restoreMocks: true,
    hookTimeout: 180 * SECOND_MS,
  },
})
