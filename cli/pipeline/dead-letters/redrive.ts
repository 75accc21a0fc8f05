/**
 * Sends dead letters back to the topics that they came from, those of a key one after the other.
 *
 * Its job: for each partition of dead letters to look, plan, send, wait, and see what became of it. Not its job: which
 * process does it and who may ask (`port.ts`), how one is appended once (`sending.ts`).
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | the next one of each key is noted as begun, with where its target ends | it was not sent: the target says so, and it is sent later |
 * | 2 | they are appended to their targets, each with its dead letter's position in a header | they are there: the target says so |
 * | 3 | they are noted as sent, with where they are | they are not sent again |
 * | 4 | every topology that reads a target has committed it | – |
 * | 5 | the dead letters that came meanwhile say which of them are back | – |
 *
 * Invariants:
 * 1. A dead letter is sent once: one that is noted as begun and not as sent is looked for in its target first, and left
 *    alone for as long as an append of before may still arrive.
 * 2. Of a key the next one goes only when the one before is processed and did not come back.
 * 3. All that is remembered is in the log: another process, or the next call, goes on where this one ended.
 */
import type { DeadLetterFilter, RedriveReport } from '../../../api/index.ts'
import type { Topics } from '../../../schemas/index.ts'
import type {
  Clock,
  DeadLetter,
  Log,
  PartitionBounds,
  Position,
  TopicPartition,
} from '../../../streams/index.ts'
import { matches } from './filter.ts'
import { PartitionLetters } from './letters.ts'
import { firstOf, type OnItsWay, planRedrive, type Queue, type RoutableLetter } from './plan.ts'
import { readProgress } from './progress.ts'
import { TopicReaders } from './readers.ts'
import { RedriveSender } from './sending.ts'
import { deadLetterPartitions, type DeadLetterTopics } from './topics.ts'

/** Dead letters that one call sends at most, and bytes of them that it has in memory. */
const MOST_LETTERS = 1_000
const MOST_BYTES = 32 * 1024 * 1024
/** What a call may take beyond its time for reading what there is; an open transaction can hide an end for long. */
const READ_GRACE_MS = 5_000
/** Keys whose next one is sent together. */
const WAVE_KEYS = 200

export interface RedriveOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader' | 'append' | 'processed' | 'maxRecordBytes'>
  readonly clock: Clock
  /** With the serdes of this deployment. */
  readonly topics: Topics
  readonly deadLetters: DeadLetterTopics
}

export interface RedriveRun {
  /** The topic that they came from. */
  readonly source: string
  readonly filter: Omit<DeadLetterFilter, 'topic'>
  readonly ignoreEarlier: boolean
  /** By partition: those from there on are not meant. */
  readonly ends?: readonly number[] | undefined
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean
  /** How long to go on with new ones, and to wait for what was sent. */
  readonly timeoutMs: number
  /** Ends it as its time does. */
  readonly signal?: AbortSignal | undefined
  /** Throws where this process may not send any more. */
  readonly mayGoOn: () => void
}

/** What one call did; grows. */
type Counts = { -readonly [K in keyof Omit<RedriveReport, 'complete' | 'ends'>]-?: number }

/** Throws what the log throws, and what `mayGoOn` throws; what was sent until then is remembered. */
export async function redrive(options: RedriveOptions, run: RedriveRun): Promise<RedriveReport> {
  const { log, clock } = options
  const counts: Counts = {
    matched: 0,
    already: 0,
    sent: 0,
    done: 0,
    again: 0,
    waiting: 0,
    held: 0,
    unroutable: 0,
    left: 0,
  }
  const deadline = clock.monotonic() + run.timeoutMs
  const isLate = (): boolean => run.signal?.aborted === true || clock.monotonic() >= deadline
  const partitions = deadLetterPartitions(run.source, log)
  const bounds = await Promise.all(partitions.map((at) => log.bounds(at)))
  const ends = run.ends ?? bounds.map(({ end }) => end)
  const isWhole = await inTime(options, run, async (signal) => {
    for (const at of partitions) {
      if (run.filter.partition !== undefined && run.filter.partition !== at.partition) continue
      const { start, highWatermark } = bounds[at.partition] as PartitionBounds
      if (start === highWatermark) continue
      const end = ends[at.partition] ?? 0
      await redrivePartition({ ...options, signal }, run, { at, end, counts, isLate })
    }
  })
  return { ...counts, complete: isWhole && counts.left === 0 && counts.waiting === 0, ends }
}

/** Whether the work came to its end before what it reads was given up. */
async function inTime(
  { clock }: RedriveOptions,
  { timeoutMs, signal: given }: RedriveRun,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const late = new AbortController()
  const cancel = clock.after(timeoutMs + READ_GRACE_MS, () => late.abort())
  const signal = given === undefined ? late.signal : AbortSignal.any([given, late.signal])
  try {
    await work(signal)
    return true
  } catch (error) {
    if (signal.aborted && error === signal.reason) return false
    throw error
  } finally {
    cancel()
  }
}

interface PartitionRun {
  readonly at: TopicPartition
  /** Dead letters from here on are not meant. */
  readonly end: number
  readonly counts: Counts
  readonly isLate: () => boolean
}

async function redrivePartition(
  options: RedriveOptions & { readonly signal: AbortSignal },
  { filter, ignoreEarlier, dryRun, mayGoOn }: RedriveRun,
  { at, end, counts, isLate }: PartitionRun,
): Promise<void> {
  const progress = await readProgress(options, options.topics, at)
  const letters = new PartitionLetters({ ...options, at })
  const readers = new TopicReaders({ ...options, isLate })
  const look = await letters.look({
    isWanted: (letter) => letter.record.offset < end && matches(filter, letter),
    wantedOnly: ignoreEarlier,
    progress,
    processed: (target) => readers.processed(target),
  })
  const plan = planRedrive({ ...look, ignoreEarlier })
  const planned = lettersOf(plan.queues)
  counts.already += look.already
  counts.held += plan.held
  counts.unroutable += plan.unroutable
  counts.matched += planned + plan.held + plan.unroutable
  if (dryRun) {
    counts.left += planned
    return
  }
  const chosen = firstOf(plan.queues, Math.max(0, MOST_LETTERS - counts.sent))
  const offsets = new Set(chosen.flatMap((queue) => queue.letters.map(({ offset }) => offset)))
  const contents = await letters.load(offsets, MOST_BYTES)
  const lines = chosen.map((queue) => loadedLine(queue, contents))
  counts.left += planned - lettersOf(lines)
  const sender = new RedriveSender({ ...options, at, progress, mayGoOn })
  await new Work({ letters, readers, sender, contents, counts, isLate }).run(lines)
}

/** A queue under way. */
interface Line {
  readonly after: readonly OnItsWay[]
  readonly letters: RoutableLetter[]
}

/** Ends before the first that there was no room for. */
function loadedLine({ after, letters }: Queue, contents: ReadonlyMap<number, DeadLetter>): Line {
  const end = letters.findIndex(({ offset }) => !contents.has(offset))
  return { after, letters: end < 0 ? [...letters] : letters.slice(0, end) }
}

interface WorkParts {
  readonly letters: PartitionLetters
  readonly readers: TopicReaders
  readonly sender: RedriveSender
  readonly contents: Map<number, DeadLetter>
  readonly counts: Counts
  readonly isLate: () => boolean
}

/** Sends lines until they are at their end, or it is late. */
class Work {
  readonly #parts: WorkParts

  constructor(parts: WorkParts) {
    this.#parts = parts
  }

  async run(all: readonly Line[]): Promise<void> {
    let lines = await this.#readyLines(all.filter(isOpen))
    while (lines.length > 0) {
      if (this.#parts.isLate()) {
        for (const line of lines) this.#leave(line)
        return
      }
      const wave = lines.slice(0, WAVE_KEYS)
      await this.#wave(wave)
      lines = [...lines.slice(WAVE_KEYS), ...wave].filter(isOpen)
    }
  }

  /** Those that wait for nothing that was sent by an earlier call. */
  async #readyLines(lines: readonly Line[]): Promise<Line[]> {
    const { letters, readers } = this.#parts
    const before = lines.flatMap(({ after }) => after.map(({ target }) => target))
    if (before.length === 0) return [...lines]
    const isProcessed = await readers.reached(before)
    await letters.lookAgain()
    return lines.filter((line) => {
      if (line.after.some(({ offset }) => letters.cameBack(offset))) this.#hold(line)
      else if (!line.after.every(({ target }) => isProcessed(target))) this.#leave(line)
      return isOpen(line)
    })
  }

  /** The next one of each line. */
  async #wave(lines: readonly Line[]): Promise<void> {
    const { letters, readers, counts, contents } = this.#parts
    const sent = [...(await this.#find(lines)), ...(await this.#send(lines))]
    const isProcessed = await readers.reached(sent.map(({ target }) => target))
    await letters.lookAgain()
    for (const { line, target } of sent) {
      const { offset } = line.letters.shift() as RoutableLetter
      contents.delete(offset)
      if (letters.cameBack(offset)) {
        counts.again++
        this.#hold(line)
      } else if (isProcessed(target)) counts.done++
      else {
        counts.waiting++
        this.#leave(line)
      }
    }
  }

  /** Those of them that an earlier call has sent. One that was begun and is nowhere goes on as if it were not begun. */
  async #find(lines: readonly Line[]): Promise<Sent[]> {
    const doubtful = lines.filter(({ letters: [next] }) => next?.doubtful === true)
    if (doubtful.length === 0) return []
    const found = await this.#parts.sender.find(doubtful.map(nextOf))
    return doubtful.flatMap((line) => {
      const next = nextOf(line)
      const target = found.get(next.offset)
      if (target === 'unsettled') this.#leave(line)
      else if (target === undefined) line.letters[0] = { ...next, doubtful: false }
      else return [{ line, target }]
      return []
    })
  }

  async #send(lines: readonly Line[]): Promise<Sent[]> {
    const { sender, contents, counts } = this.#parts
    const fresh = lines.filter(({ letters: [next] }) => next?.doubtful === false)
    const filled = fresh.map((line) => {
      const letter = nextOf(line)
      return { letter, content: contents.get(letter.offset) as DeadLetter }
    })
    const targets = await sender.send(filled)
    counts.sent += targets.length
    return targets.map((target, index) => ({ line: fresh[index] as Line, target }))
  }

  /** Nothing more of the line: an earlier one of the key is not done. */
  #hold(line: Line): void {
    this.#parts.counts.held += line.letters.splice(0).length
  }

  /** Nothing more of the line in this call. */
  #leave(line: Line): void {
    this.#parts.counts.left += line.letters.splice(0).length
  }
}

/** The first of the line is in its target. */
interface Sent {
  readonly line: Line
  readonly target: Position
}

function nextOf({ letters }: Line): RoutableLetter {
  return letters[0] as RoutableLetter
}

function isOpen({ letters }: Line): boolean {
  return letters.length > 0
}

function lettersOf(queues: readonly Pick<Queue, 'letters'>[]): number {
  return queues.reduce((sum, { letters }) => sum + letters.length, 0)
}
