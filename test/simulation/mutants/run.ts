/** `npm run sim:mutants [-- NAME …]`: every defect is hunted; fails when one is not found within its seeds. */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Defect, DEFECTS } from './defects.ts'

const LOADER = fileURLToPath(new URL('loader.ts', import.meta.url))
const HUNT = fileURLToPath(new URL('hunt.ts', import.meta.url))

interface Found {
  readonly seed: number
  readonly complaint: string
}

const names = process.argv.slice(2)
const wanted = DEFECTS.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
const start = performance.now()
const waiting = [...wanted]
let escaped = 0
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let defect = waiting.shift(); defect !== undefined; defect = waiting.shift()) {
      const found = await hunt(defect)
      if (found === undefined) escaped++
      const how =
        found === undefined
          ? `ESCAPED ${defect.within} seeds`
          : `seed ${found.seed} of ${defect.within}: ${found.complaint}`
      console.log(`${defect.name}\n  ${how}`)
    }
  }),
)
const seconds = Math.round((performance.now() - start) / 1_000)
console.log(`${wanted.length - escaped} of ${wanted.length} defects found, in ${seconds} s`)
process.exitCode = escaped === 0 ? 0 : 1

function hunt(defect: Defect): Promise<Found | undefined> {
  return new Promise((resolve) => {
    const execArgv = ['--import', LOADER]
    const child = fork(HUNT, {
      execArgv,
      env: { ...process.env, MUTANT: defect.name },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let found: Found | undefined
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.on('message', (message) => (found = message as Found))
    child.on('exit', (code) => {
      // A defect that brings the process down is noticed as well.
      if (found === undefined && code !== 0 && code !== null)
        found = { seed: 0, complaint: `the process ends with ${code}: ${said.slice(0, 300)}` }
      resolve(found)
    })
  })
}
