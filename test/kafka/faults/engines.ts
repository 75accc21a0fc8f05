/** Several processes of one application, and what must be true of all of them together. */
import { parseTaskName } from '../../../streams/index.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import type { Engine } from './engine.ts'
import { tasksOf } from './shop-topics.ts'

/** Milliseconds beyond the session timeout within which the others must run what a process left. */
export const TAKEOVER_SLACK_MS = 10_000
const SETTLE_LIMIT_MS = 40_000

/** Resolves once each task runs in exactly one of these processes, and each has its share. */
export async function everyTaskOnce(
  engines: readonly Engine[],
  { timeoutMs = SETTLE_LIMIT_MS } = {},
): Promise<void> {
  const tasks = tasksOf(engines[0]?.pipelines ?? [])
  const wrong = (): string[] => [...misplaced(tasks, engines), ...uneven(tasks, engines)]
  await eventually(() => wrong().length === 0, {
    timeoutMs,
    describe: () => ({ wrong: wrong(), last: engines.map(({ slot, lines }) => [slot, ...lines.slice(-8)]) }),
  })
}

/** Resolves once each task with state that runs in one of these processes is followed in another. */
export async function everyTaskFollowed(engines: readonly Engine[]): Promise<void> {
  const tasks = tasksOf(engines[0]?.pipelines ?? [], { stateful: true })
  const alone = (): string[] =>
    tasks.filter((task) => {
      return !engines.some(({ following, running }) => following.has(task) && !running.has(task))
    })
  await eventually(() => alone().length === 0, {
    timeoutMs: SETTLE_LIMIT_MS,
    describe: () => ({ alone: alone(), last: engines.map(({ slot, lines }) => [slot, ...lines.slice(-8)]) }),
  })
}

function misplaced(tasks: readonly string[], engines: readonly Engine[]): string[] {
  return tasks.flatMap((task) => {
    const owners = engines.filter(({ running }) => running.has(task)).map(({ slot }) => slot)
    return owners.length === 1 ? [] : [`${task} runs in ${owners.join(' and ') || 'none'}`]
  })
}

/** No process has two tasks of a topology more than another. */
function uneven(tasks: readonly string[], engines: readonly Engine[]): string[] {
  const byTopology = Map.groupBy(tasks, (task) => parseTaskName(task).topology)
  return [...byTopology].flatMap(([topology, some]) => {
    const shares = engines.map(({ running }) => some.filter((task) => running.has(task)).length)
    return Math.max(...shares) - Math.min(...shares) <= 1
      ? []
      : [`${topology} is shared ${shares.join(' : ')}`]
  })
}

/** What went wrong in these processes, that a fault of another one must not bring about. */
export function troubles(engines: readonly Engine[]): string[] {
  return engines.flatMap(({ slot, lines }) =>
    lines.flatMap((line) => {
      const isTrouble = line.at === 'refused' || (line.at === 'runner' && line.to === 'failed')
      return isTrouble ? [`${slot}: ${JSON.stringify(line)}`] : []
    }),
  )
}
