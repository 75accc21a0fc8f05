/**
 * Long runs under load with processes killed at random, and what they use fitted by a line.
 *
 *   npm run soak -- --hours 1                both modes, one beside the other
 *   npm run soak -- --hours 0.5 --only kafka
 *
 * The tables on the screen are what `docs/reliability.md` keeps.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const MODES = ['embedded', 'kafka']
const SECONDS_PER_HOUR = 3_600

const { values } = parseArgs({ options: { hours: { type: 'string' }, only: { type: 'string' } } })
const hours = Number(values.hours)
if (!(hours > 0)) refuse('--hours takes a number above 0')
if (values.only !== undefined && !MODES.includes(values.only)) refuse(`--only takes ${MODES.join(' or ')}`)

const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
const config = join(import.meta.dirname, 'vitest.config.ts')
const only = values.only === undefined ? [] : [`test/soak/${values.only}.test.ts`]
const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...only], {
  env: { ...process.env, SOAK_SECONDS: String(hours * SECONDS_PER_HOUR) },
  stdio: 'inherit',
})
child.on('close', (code) => {
  process.exitCode = code ?? 1
})

function refuse(why: string): never {
  process.stderr.write(`${why}\n`)
  process.exit(2)
}
