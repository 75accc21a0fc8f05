/**
 * Sums up a run of `.ci/run`: stages with their durations, tests by suite, and `N passed, N failed` as the last line.
 * Fails when a stage or a test failed, when a suite ran no test, or when a test was skipped.
 */
import { existsSync, readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'

/** Folders of `test/` that must have run at least one test. */
const SUITES = [
  'house',
  'unit',
  'topology',
  'contract',
  'property',
  'simulation',
  'api',
  'e2e',
  'crash',
  'types',
  'package',
  'connectors',
  'kafka',
]
/** Stages that are counted by their tests. */
const TEST_STAGES = ['tests', 'connectors', 'kafka', 'kafka 3.9']

const [stagesFile, ...reportFiles] = process.argv.slice(2)
let passed = 0
let failed = 0
let testStagesPassed = 0

console.log('\nStages')
for (const line of readFileSync(stagesFile, 'utf8').trim().split('\n')) {
  const [, result, seconds, name] = /^(\w+) (\d+) (.*)$/.exec(line)
  console.log(`  ${name.padEnd(20)} ${seconds.padStart(5)} s  ${result}`)
  if (TEST_STAGES.includes(name)) testStagesPassed += result === 'passed' ? 1 : 0
  else if (result === 'passed') passed += 1
  else failed += 1
}

console.log('Suites')
const suites = new Map(SUITES.map((name) => [name, { passed: 0, failed: 0, skipped: 0 }]))
const results = reportFiles.flatMap((file) => {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).testResults : []
})
for (const file of results) {
  const path = relative(process.cwd(), file.name).split(sep)
  const suite = path[0] === 'test' && path.length > 2 ? path[1] : 'other'
  const counts = suites.get(suite) ?? { passed: 0, failed: 0, skipped: 0 }
  suites.set(suite, counts)
  for (const { status, fullName } of file.assertionResults) {
    if (status === 'passed') counts.passed += 1
    else if (status === 'failed') counts.failed += 1
    else {
      counts.skipped += 1
      console.log(`  skipped: ${path.join('/')}: ${fullName}`)
    }
  }
  // A file that fails to load has no tests to count.
  if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) {
    counts.failed += 1
    console.log(`  failed to run: ${path.join('/')}`)
  }
}
for (const [name, counts] of suites) {
  const ran = counts.passed + counts.failed > 0
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped (each counts as failed)` : ''
  console.log(
    `  ${name.padEnd(20)} ${ran ? `${counts.passed} passed, ${counts.failed} failed${skipped}` : 'ran no test'}`,
  )
  passed += counts.passed
  failed += counts.failed + counts.skipped + (ran ? 0 : 1)
}

// Vitest itself may fail where each test passed: an unhandled error, a process that hangs.
if (testStagesPassed < TEST_STAGES.length && failed === 0) failed += 1

process.exitCode = failed === 0 ? 0 : 1
console.log(`${passed} passed, ${failed} failed`)
