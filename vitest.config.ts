/** Test projects. Each is a folder of `test/`; `npm test` runs all of them. */
import { defineConfig } from 'vitest/config'

const SECOND_MS = 1000

export default defineConfig({
  test: {
    // Two cores: two files at a time. A third worker only makes the timing tests less steady.
    maxWorkers: 2,
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      project('unit', ['test/unit/**/*.test.ts', 'test/house/**/*.test.ts'], { testTimeout: 60 * SECOND_MS }),
      project('topology', ['test/topology/**/*.test.ts'], { testTimeout: 60 * SECOND_MS }),
      project('contract', ['test/contract/**/*.test.ts'], { testTimeout: 20 * SECOND_MS }),
      project('property', ['test/property/**/*.test.ts'], {
        testTimeout: 60 * SECOND_MS,
        setupFiles: ['test/house/property-setup.ts'],
      }),
      // Virtual time, one thread: seeds of storms.
      project('simulation', ['test/simulation/**/*.test.ts'], { testTimeout: 300 * SECOND_MS }),
      project('api', ['test/api/**/*.test.ts'], { testTimeout: 30 * SECOND_MS }),
      // The command as it is installed: whole processes, one file at a time.
      project('e2e', ['test/e2e/**/*.test.ts'], {
        testTimeout: 120 * SECOND_MS,
        hookTimeout: 120 * SECOND_MS,
        fileParallelism: false,
      }),
      // Starts and kills processes: one file at a time, and minutes for one test.
      project('crash', ['test/crash/**/*.test.ts'], {
        testTimeout: 60 * 60 * SECOND_MS,
        hookTimeout: 60 * SECOND_MS,
        fileParallelism: false,
      }),
      // Runs no code: `tsc` checks what `expectTypeOf` claims.
      {
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            ignoreSourceErrors: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: './test/types/tsconfig.json',
          },
        },
      },
      project('package', ['test/package/**/*.test.ts'], {
        testTimeout: 300 * SECOND_MS,
        hookTimeout: 300 * SECOND_MS,
        fileParallelism: false,
      }),
    ],
  },
})

interface ProjectOptions {
  readonly testTimeout?: number
  readonly hookTimeout?: number
  readonly fileParallelism?: boolean
  readonly setupFiles?: string[]
}

function project(name: string, include: string[], options: ProjectOptions = {}) {
  return { extends: true as const, test: { name, include, environment: 'node' as const, ...options } }
}
