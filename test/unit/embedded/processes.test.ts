/** Logs and processes: one at a time, and none that can be killed at a wrong moment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { checkpointAt, readAll, taskOf, values } from '../../contract/log-fixtures.ts'
import { freshDirectory, openLog } from './support.ts'

const program = fileURLToPath(new URL('writing-process.ts', import.meta.url))
const RUNS = Number(process.env['CRASH_RUNS'] ?? 4)

function start(directory: string, first: number): ChildProcess {
  const child = spawn(process.execPath, [program, directory, `${first}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

/** Reads what the process acknowledges; kills it once that is `enough`. Answers the last number it acknowledged. */
async function killAfter(child: ChildProcess, enough: number): Promise<number> {
  let last = 0
  let errors = ''
  child.stderr?.on('data', (some: Buffer) => (errors += some.toString()))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> })
  for await (const line of lines) {
    last = Number(line)
    if (last >= enough) child.kill('SIGKILL')
  }
  await exited
  expect(errors).toBe('')
  return last
}

test(`killed ${RUNS} times at any point, it has all that it acknowledged, once, and output and state agree`, async () => {
  const directory = await freshDirectory()
  let acknowledged = 0
  for (let run = 0; run < RUNS; run++) {
    acknowledged = await killAfter(start(directory, acknowledged + 1), acknowledged + 40 + ((run * 37) % 60))
    const log = await openLog(directory, { writeBufferBytes: 65_536 })
    const outputs = values(await readAll(log, { topic: 'out', partition: 0 }))
    const committed = await log.committed(taskOf(0))
    // The commit after the last one that was acknowledged may be there too, whole.
    expect([acknowledged, acknowledged + 1]).toContain(outputs.length)
    expect(outputs.map((value) => Number.parseInt(value ?? '', 10))).toEqual(
      Array.from({ length: outputs.length }, (_, index) => index + 1),
    )
    expect(committed).toEqual(checkpointAt(outputs.length, outputs.length))
    const state = await log.taskState(taskOf(0))
    const last = state.get(Buffer.concat([state.prefix, Buffer.from(`${outputs.length % 50}`)]))
    expect(last?.toString()).toBe(outputs.at(-1))
    await log.close()
    acknowledged = outputs.length
  }
}, 120_000)

test('a second process is refused and named the first', async () => {
  const directory = await freshDirectory()
  await openLog(directory)
  const child = start(directory, 1)
  let errors = ''
  child.stderr?.on('data', (some: Buffer) => (errors += some.toString()))
  const code = await new Promise((resolve) => child.once('exit', resolve))
  expect(code).not.toBe(0)
  expect(errors).toContain(`locked by pid ${process.pid}`)
}, 30_000)
