/** Dead letters, over the HTTP of a shop that runs: whoever holds the log is the one to ask. */
import type { DeadLetterCause, DeadLetterSummary, DeadLetterView, RedriveReport } from '../../api/index.ts'
import type { Context } from '../context.ts'
import { CheckError, UsageError } from '../errors.ts'
import type { DeadLetterFlags, DeadLetterListFlags, DeadLetterShowFlags, RedriveFlags } from '../flags.ts'
import { table } from '../output.ts'
import { harmless, type RunningShop, withRunningShop } from '../running-shop.ts'

const DLQ = '/v1/ops/dlq'
const PAGE_ITEMS = 1_000
/** Calls in a row that send and finish nothing, before it is said that nothing moves. */
const MOST_IDLE_CALLS = 3
const FILTER_KEYS = ['topic', 'error', 'from', 'to', 'key', 'partition', 'offset'] as const

export function listDeadLetters(context: Context, flags: DeadLetterListFlags): Promise<void> {
  return withRunningShop(context, flags, async (shop) => {
    const { topic, error, from, to, key, state } = flags
    const filter = { topic, error, from, to, key, state }
    if (flags.causes === true) {
      const { causes, complete } = (await shop.get(`${DLQ}/causes${query(filter)}`)) as {
        causes: DeadLetterCause[]
        complete: boolean
      }
      if (flags.json === true) return context.output.data(JSON.stringify(causes, null, 2))
      const rows = causes.map((one) => [one.topic, one.error, one.count, iso(one.earliest), iso(one.latest)])
      context.output.data(table(['topic', 'error', 'count', 'earliest', 'latest'], rows))
      if (!complete) context.output.say('There are more than were counted.')
      return
    }
    const items = await allItems(shop, filter, flags.limit)
    if (flags.json === true) return context.output.data(JSON.stringify(items, null, 2))
    const rows = items.map((one) => {
      return [place(one.deadLetter), one.error, iso(one.timestamp), one.key ?? '-', one.state, one.dialect]
    })
    context.output.data(table(['dead letter', 'error', 'time', 'key', 'state', 'written by'], rows))
  })
}

async function allItems(
  shop: RunningShop,
  filter: Readonly<Record<string, string | undefined>>,
  limit: number,
): Promise<readonly DeadLetterSummary[]> {
  const all: DeadLetterSummary[] = []
  let cursor: string | undefined
  do {
    const left = Math.min(PAGE_ITEMS, limit - all.length)
    const page = (await shop.get(DLQ + query({ ...filter, limit: String(left), cursor }))) as {
      items: DeadLetterSummary[]
      cursor?: string
    }
    all.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined && all.length < limit)
  return all
}

export function showDeadLetter(
  context: Context,
  position: string,
  flags: DeadLetterShowFlags,
): Promise<void> {
  const [, topic, partition, offset] = /^([A-Za-z0-9._-]+):(\d+):(\d+)$/.exec(position) ?? []
  if (topic === undefined)
    return Promise.reject(
      new UsageError(`${position} is no topic:partition:offset, as millrace dlq list prints it`),
    )
  return withRunningShop(context, flags, async (shop) => {
    const show = flags.raw === true ? 'raw' : flags.typed === true ? 'typed' : 'preview'
    const letter = (await shop.get(
      `${DLQ}/${topic}/${partition}/${offset}${query({ show })}`,
    )) as unknown as DeadLetterView
    if (flags.json === true) return context.output.data(JSON.stringify(letter, null, 2))
    context.output.data(described(letter))
  })
}

function described(letter: DeadLetterView): string {
  const { headers, value, ...rest } = letter
  const lines = Object.entries(rest).map(([name, content]) => {
    if (typeof content === 'object') return [name, place(content)]
    return [name, name === 'timestamp' ? iso(Number(content)) : String(content)]
  })
  const shown = headers.map(({ name, bytes, hex }) => [`header ${name}`, hex ?? `${bytes} bytes`])
  const typed = value === undefined ? [] : [['value', JSON.stringify(value)]]
  const rows = [...lines, ...shown, ...typed].map((cells) => cells.map(harmless))
  return table(['field', 'content'], rows)
}

/** Goes on until nothing is left; throws a `CheckError` where some did not get through. */
export async function redriveDeadLetters(context: Context, flags: RedriveFlags): Promise<void> {
  const filter = parseFilter(flags.filter)
  await withRunningShop(context, flags, async (shop) => {
    const request = { filter, dryRun: flags.dryRun === true, ignoreEarlier: flags.ignoreEarlier === true }
    const first = (await shop.post(`${DLQ}/redrive`, request)) as unknown as RedriveReport
    const report = request.dryRun ? first : await goOn(context, shop, request, first)
    if (flags.json === true) context.output.data(JSON.stringify(report))
    else context.output.data(table(['dead letters', 'count'], rowsOf(report, request.dryRun)))
    const stuck = request.dryRun ? [] : stuckOf(report)
    if (stuck.length > 0) throw new CheckError(stuck.join('; '))
  })
}

async function goOn(
  context: Context,
  shop: RunningShop,
  request: object,
  first: RedriveReport,
): Promise<RedriveReport> {
  let report = first
  let idle = 0
  while (!report.complete && idle < MOST_IDLE_CALLS) {
    context.stop.throwIfAborted()
    const next = (await shop.post(`${DLQ}/redrive`, {
      ...request,
      ends: first.ends,
    })) as unknown as RedriveReport
    idle = next.sent + next.done === 0 && next.left >= report.left ? idle + 1 : 0
    const { matched, already, sent, again } = report
    report = { ...next, matched, already, sent: sent + next.sent, again: again + next.again }
  }
  return report
}

function rowsOf(report: RedriveReport, dryRun: boolean): readonly (readonly [string, number])[] {
  const { matched, already, sent, again, waiting, held, unroutable, left } = report
  const rest = [
    ['an earlier one of the key is not done', held],
    ['cannot go back', unroutable],
    [dryRun ? 'would be sent' : 'left', left],
  ] as const
  if (dryRun) return [['matched', matched], ['sent before', already], ...rest]
  return [
    ['matched', matched],
    ['sent before', already],
    ['sent', sent],
    ['dead letters again', again],
    ['not processed yet', waiting],
    ...rest,
  ]
}

function stuckOf({ again, waiting, held, unroutable, left }: RedriveReport): readonly string[] {
  return [
    ...(again > 0 ? [`${again} became dead letters again`] : []),
    ...(waiting > 0 ? [`${waiting} are not processed yet: is a task paused?`] : []),
    ...(held > 0 ? [`${held} wait for an earlier one of their key`] : []),
    ...(unroutable > 0 ? [`${unroutable} cannot go back`] : []),
    ...(left > 0 ? [`${left} were not sent`] : []),
  ]
}

export function resumeTask(context: Context, task: string, flags: DeadLetterFlags): Promise<void> {
  return withRunningShop(context, flags, async (shop) => {
    const why = await shop.post(`/v1/ops/tasks/${encodeURIComponent(task)}/resume`)
    if (flags.json === true) return context.output.data(JSON.stringify(why))
    const { topic, deadLetters, records } = why
    context.output.say(
      `${task} goes on; ${String(deadLetters)} of ${String(records)} records of ${String(topic)} were dead letters.`,
    )
  })
}

/** `topic=a,error=b`, and several of them. */
function parseFilter(given: readonly string[]): Readonly<Record<string, string | number>> {
  const filter: Record<string, string | number> = {}
  for (const one of given.flatMap((text) => text.split(','))) {
    const at = one.indexOf('=')
    const name = FILTER_KEYS.find((key) => key === one.slice(0, at))
    if (name === undefined)
      throw new UsageError(`--filter ${one}: write <key>=<value>, with ${FILTER_KEYS.join(', ')} as the key`)
    const text = one.slice(at + 1)
    const isNumber = name === 'partition' || name === 'offset'
    if (isNumber && !/^\d{1,15}$/.test(text)) throw new UsageError(`--filter ${one}: it is a whole number`)
    filter[name] = isNumber ? Number(text) : text
  }
  if (filter['topic'] === undefined) throw new UsageError('--filter needs topic=<name>')
  return filter
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `?${new URLSearchParams(given).toString()}`
}

function place({ topic, partition, offset }: DeadLetterSummary['deadLetter']): string {
  return `${topic}:${partition}:${offset}`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
