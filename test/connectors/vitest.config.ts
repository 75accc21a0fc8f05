/**
 * Tests of connectors on real servers, which the run starts for itself: PostgreSQL from the Debian package is all it
 * takes. Apart from the others, because `npm test` asks for Node alone.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const SECOND_MS = 1000

export default defineConfig({
  test: {
    name: 'connectors',
    root: join(import.meta.dirname, '../..'),
    include: ['test/connectors/**/*.test.ts'],
    globalSetup: ['test/support/postgres/global-setup.ts'],
    environment: 'node',
    restoreMocks: true,
    unstubEnvs: true,
    // One server, one processor for it and one for the tests.
    fileParallelism: false,
    testTimeout: 60 * SECOND_MS,
    hookTimeout: 60 * SECOND_MS,
  },
})
