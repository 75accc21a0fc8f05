/**
 * Tests on real Kafka brokers and a real schema registry, which the run starts for itself: Java 17 and Maven are all
 * it takes. Apart from the others, because it fetches 200 MB the first time and takes minutes.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const SECOND_MS = 1000

export default defineConfig({
  test: {
    name: 'kafka',
    root: join(import.meta.dirname, '../..'),
    include: ['test/kafka/**/*.test.ts'],
    globalSetup: ['test/support/kafka/global-setup.ts'],
    environment: 'node',
    restoreMocks: true,
    unstubEnvs: true,
    // A machine that stalls for seconds ends sessions that nothing was wrong with; what fails twice is broken.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // One broker, one processor for it and one for the tests.
    fileParallelism: false,
    testTimeout: 240 * SECOND_MS,
    hookTimeout: 180 * SECOND_MS,
  },
})
