/**
 * The commit: the only place where anything of a task becomes durable.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | seal: each task's overlay, outputs, positions and times become one immutable batch; the task goes on, on an overlay of its own | nothing has happened: the records come again |
 * | 2 | the log takes outputs, positions, times (and the state's rows, where it keeps state) as one | `stateHome: log`: all of it is there. `task`: the changelog has it, the rows are restored from there |
 * | 3 | `stateHome: task` only: one database batch per task with rows and position | all of it is there |
 * | 4 | readers and waiting callers see it | – |
 *
 * The next batch is processed meanwhile, but its step 1 comes after this one's 4.
 */
import type { StateBackend } from '../state/index.ts'
import { StreamsError } from './errors.ts'
import type { CommitReceipt, Log, TaskCommit } from './log.ts'
import type { Position } from './record.ts'
import { positionsRow, type StoredPosition, storedPositions } from './changelogs.ts'
import type { Task } from './task.ts'

/** Where step 3 writes. */
export interface Backends {
  of(task: Task): StateBackend | undefined
  /** Epoch milliseconds. */
  now(): number
  /** The task's rows are not there: it is closed, and restores what it lacks. The others go on. */
  onFault(task: Task, error: unknown): void
}

export interface CommitResult {
  readonly commits: readonly TaskCommit[]
  readonly records: number
  readonly outputs: number
}

/** Step 1. A task that cannot be sealed (a damaged row, say) is left out and told to `onFault`; the others go on. */
export function sealTasks(
  candidates: readonly Task[],
  onFault: (task: Task, error: unknown) => void,
): { readonly tasks: readonly Task[]; readonly commits: readonly TaskCommit[] } {
  const tasks: Task[] = []
  const commits: TaskCommit[] = []
  for (const task of candidates) {
    try {
      commits.push(task.seal())
      tasks.push(task)
    } catch (error) {
      onFault(task, error)
    }
  }
  return { tasks, commits }
}

/**
 * Steps 2 to 4 over batches that are sealed. Throws what the log throws; then nothing was committed, or, with
 * `COMMIT_UNKNOWN`, nobody knows: the tasks must go on from what the log has.
 */
export async function commitSealed(
  log: Log,
  tasks: readonly Task[],
  commits: readonly TaskCommit[],
  backends: Backends,
): Promise<CommitResult> {
  const receipts = await log.commit(commits)
  if (log.stateHome === 'task') {
    await Promise.all(
      tasks.map(async (task, i) => {
        const backend = backends.of(task)
        try {
          if (backend !== undefined)
            await apply(log, commits[i] as TaskCommit, receipts[i] as CommitReceipt, backend, backends.now())
        } catch (error) {
          backends.onFault(task, error)
        }
      }),
    )
  }
  for (const task of tasks) if (task.failure === undefined) task.committed()
  return {
    commits,
    records: sum(commits, (commit) => sum(commit.journal.inputs, (run) => run.count)),
    outputs: sum(commits, (commit) => commit.outputs.length),
  }
}

/** Step 3 for one task. Throws `RESET_REQUIRED` where a changelog is not the one that the database came from. */
async function apply(
  log: Log,
  commit: TaskCommit,
  receipt: CommitReceipt,
  backend: StateBackend,
  now: number,
): Promise<void> {
  const before = storedPositions(backend)?.changelogs ?? []
  requireSameChangelogs(log, before, receipt.changelogs)
  const positions = merged(before, receipt.changelogs)
  await backend.write([...commit.state, positionsRow(log, backend, positions, now)])
}

/** A changelog that was made again lacks what was written to it before, and begins with low offsets. */
function requireSameChangelogs(
  log: Log,
  before: readonly StoredPosition[],
  after: readonly Position[],
): void {
  for (const { topic, topicId, offset } of before) {
    const now = after.find((position) => position.topic === topic)?.offset ?? Number.POSITIVE_INFINITY
    if (topicId === log.topicId(topic) && now > offset) continue
    throw new StreamsError(
      'RESET_REQUIRED',
      `${topic} was deleted and made again: changes before ${offset} are gone`,
    )
  }
}

function merged(before: readonly Position[], after: readonly Position[]): Position[] {
  const byTopic = new Map([...before, ...after].map((position) => [position.topic, position]))
  return [...byTopic.values()]
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  let total = 0
  for (const item of items) total += amount(item)
  return total
}
