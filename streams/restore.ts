/**
 * Brings a task's own database up to its changelogs before it runs, for logs that keep no state.
 *
 * The positions are stored with the rows (`changelog-replay.ts`), so a restore that is interrupted goes on where it
 * was, and after a crash, or where a standby followed, only the delta is read. It ends at the high watermark found at
 * its start.
 */
import { ChangelogReplay, type ReplayOptions } from './changelog-replay.ts'
import type { Clock } from './clock.ts'
import { StreamsError } from './errors.ts'
import { taskName } from './task-id.ts'

/** Milliseconds without any change or position after which a restore counts as stuck. */
const STALL_LIMIT_MS = 30_000

export interface RestoreOptions extends Omit<ReplayOptions, 'until'> {
  /** The task has committed before: its changelogs may hold something. */
  readonly hasCheckpoint: boolean
  /** Called after each slice. */
  readonly onProgress: (records: number, remaining: number) => void
}

/**
 * Applies every change that the database lacks; answers how many there were. Between two slices the signal ends it.
 * Throws `RESET_REQUIRED`, `RESTORE_STALLED`, `STATE_CORRUPT`, what the readers' faults are, and the signal's reason;
 * `COMMIT_UNKNOWN` where another process committed since the positions were asked for.
 */
export async function restoreState(options: RestoreOptions): Promise<number> {
  const { task, log, hasCheckpoint } = options
  const replay = await ChangelogReplay.open({ ...options, until: 'now' })
  try {
    const restored = await restoreAll(replay, options)
    const isLost = !hasCheckpoint && (restored > 0 || replay.hadState)
    if (isLost && log.guarantee === 'exactly-once') {
      // Asked for before another process had the task, and committed for the first time; this one may be out by now.
      if ((await log.committed(task)) !== undefined)
        throw new StreamsError(
          'COMMIT_UNKNOWN',
          `${taskName(task)} was committed elsewhere while it was opened`,
        )
      throw new StreamsError(
        'RESET_REQUIRED',
        `${taskName(task)} has state but no committed position: its inputs were recreated, or the group's offsets deleted`,
      )
    }
    return restored
  } finally {
    replay.close()
  }
}

async function restoreAll(replay: ChangelogReplay, options: RestoreOptions): Promise<number> {
  const { signal, clock, hasCheckpoint, onProgress } = options
  let restored = 0
  while (replay.remaining > 0) {
    const before = replay.remaining
    const records = await replay.applySlice()
    signal.throwIfAborted()
    restored += records
    if (replay.remaining === before) await moreOrStalled(replay, clock)
    else onProgress(records, replay.remaining)
    signal.throwIfAborted()
  }
  if (hasCheckpoint) await replay.notePositions()
  return restored
}

async function moreOrStalled(replay: ChangelogReplay, clock: Clock): Promise<void> {
  let cancel = (): void => {}
  const stalled = new Promise<boolean>((resolve) => {
    cancel = clock.after(STALL_LIMIT_MS, () => resolve(true))
  })
  const isStalled = await Promise.race([replay.awake.then(() => false), stalled])
  cancel()
  if (isStalled) throw new StreamsError('RESTORE_STALLED', replay.behind)
}
