/**
 * Requests over HTTP at a fixed rate, open loop: the clock of a request starts when it was due. Server and generator
 * are two processes on this machine, started as a user would (`millrace load coupons`).
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { smoke } from '../harness.ts'

const rate = smoke ? 500 : 5_000
const seconds = smoke ? 2 : 20

const flags = ['--rate', rate, '--duration', seconds, '--users', rate * seconds, '--quota', 10_000, '--json']
const script = join(import.meta.dirname, '../../bin/millrace.js')
const child = spawn(process.execPath, [script, 'load', 'coupons', ...flags.map(String)], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
if (code !== 0) throw new Error(`the load ended with ${code}`)
process.stdout.write(`${output.trim().split('\n').at(-1)}\n`)
