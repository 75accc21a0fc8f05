/**
 * `npm run faults [-- F6 F11] [--repeats 20] [--write]`: runs the tests on real brokers that name these faults, or any
 * fault, and prints what came of them; `--write` puts that into docs/reliability.md. Which tests those are, their titles
 * say, and nothing else does.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../house/sources.ts'
import { type Report, rowsOf, tableOf, withRows } from '../support/fault-table.ts'
import { FAULTS, filesWithFaults, patternOf } from '../support/faults.ts'

const DOCUMENT = join(ROOT, 'docs/reliability.md')
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')
const CONFIG = 'test/kafka/vitest.config.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeats: { type: 'string' }, write: { type: 'boolean', default: false } },
})
const faults = positionals.map((name) => name.toUpperCase())
const strange = faults.filter((fault) => !FAULTS.includes(fault))
const repeats = values.repeats
if (strange.length > 0) fail(`there is no ${strange.join(', ')}: faults are ${FAULTS[0]} to ${FAULTS.at(-1)}`)
if (repeats !== undefined && !/^[1-9]\d{0,3}$/.test(repeats)) fail(`--repeats ${repeats} is no number`)

const files = [...filesWithFaults('kafka')]
  .filter(([, named]) => faults.length === 0 || named.some((fault) => faults.includes(fault)))
  .map(([file]) => file)
const pattern = patternOf(faults)
const directory = mkdtempSync(join(tmpdir(), 'millrace-faults-'))
try {
  const output = join(directory, 'report.json')
  const code = await runTests(output)
  const report = JSON.parse(readFileSync(output, 'utf8')) as Report
  const rows = rowsOf(report, pattern, new Date().toISOString().slice(0, 10))
  console.log(`\n${tableOf(rows)}`)
  if (values.write) writeFileSync(DOCUMENT, withRows(readFileSync(DOCUMENT, 'utf8'), rows))
  process.exitCode = code
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** Resolves with Vitest's exit code. */
async function runTests(output: string): Promise<number> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`]
  const args = [VITEST, 'run', '--config', CONFIG, '--testNamePattern', pattern, ...reporters, ...files]
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...(repeats !== undefined && { KAFKA_RUNS: repeats }) },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function fail(why: string): never {
  console.error(why)
  process.exit(2)
}
