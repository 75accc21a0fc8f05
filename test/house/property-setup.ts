/**
 * Settings of property tests: `PROPERTY_RUNS` (default 100) cases per property, and `PROPERTY_SEED` to repeat the
 * cases of an earlier run.
 */
import { configureGlobal } from 'fast-check'

const runs = Number(process.env['PROPERTY_RUNS'] ?? 100)
const seed = process.env['PROPERTY_SEED']

configureGlobal({ numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) })
