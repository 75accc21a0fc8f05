/** Waits until the pipeline has nothing left to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, reactionOf, type Streams } from '../../streams/index.ts'
import { inputLags } from './lag.ts'

/** One wait for a position; between two, failures are looked for. */
const STEP_MS = 500
/** Boards are sent on once a second: after this without a new record, all of them were. */
const QUIET_MS = 1_300

/**
 * Resolves once every task has committed all of its input, and nothing more came of it for a while. Rejects when a
 * topology or task fails, and when `signal` fires.
 */
export async function settled(streams: Streams, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    await drained(streams, log, signal)
    const before = await totalRecords(streams, log)
    await sleep(QUIET_MS, undefined, { signal })
    if ((await totalRecords(streams, log)) === before) return
  }
}

/** Resolves once every task runs and has committed all of its input. Rejects as `settled` does. */
export async function drained(streams: Streams, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    assertHealthy(streams)
    if (!allRun(streams)) {
      await sleep(STEP_MS, undefined, { signal })
      continue
    }
    let waited = false
    for (const runner of streams.runners) {
      for (const { topic, partition } of inputLags(streams).filter(
        ({ topology }) => topology === runner.topology.name,
      )) {
        const { end } = await log.bounds({ topic, partition })
        if (runner.progress.position(topic, partition) >= end) continue
        waited = true
        await runner.progress.reached(topic, partition, end - 1, STEP_MS)
      }
    }
    if (!waited) return
  }
}

/** Throws where a topology or task failed for good; one that will go on from its last commit is waited for. */
export function assertHealthy(streams: Streams): void {
  for (const { topology, state, failure, tasks } of streams.runners) {
    if (state === 'failed') throw new Error(`topology ${topology.name} failed`, { cause: failure })
    const broken = tasks.find((task) => task.failure !== undefined && !goesOn(task.failure))
    if (broken !== undefined) throw new Error(`task ${broken.name} failed`, { cause: broken.failure })
  }
}

function goesOn(failure: Error): boolean {
  const reaction = reactionOf(failure)
  return reaction === 'restore' || reaction === 'retry'
}

/** A task that is being restored has lags that nobody sees. */
function allRun(streams: Streams): boolean {
  return streams.runners.every(({ state, notRunning }) => state === 'running' && notRunning.length === 0)
}

async function totalRecords(streams: Streams, log: Log): Promise<number> {
  const ends = await Promise.all(inputLags(streams).map((input) => log.bounds(input)))
  return ends.reduce((sum, { end }) => sum + end, 0)
}
