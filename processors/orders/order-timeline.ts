/**
 * The timeline of an order, put together from its events. Pure.
 *
 * Which command an answer is about says the answer's own cause: its place, and the time in the command's eventId, which
 * is that of the record or timer that made the command. Where the headers do not say it, and more than one command was
 * sent, the answer stands beside the commands and belongs to none: nothing is guessed.
 */
import {
  type OrderEvent,
  type OrderPart,
  type OrderSending,
  type RecordPlace,
  topics,
} from '../../schemas/index.ts'

export interface Timeline {
  /** False: more happened than is kept, or the order is older than timelines are. */
  readonly complete: boolean
  readonly events: readonly OrderEvent[]
  /** In the order in which they were begun. */
  readonly steps: readonly TimelineStep[]
}

export interface TimelineStep extends OrderPart {
  readonly commands: readonly TimelineCommand[]
  /** Those whose command nothing says. */
  readonly answers: readonly TimelineAnswer[]
}

export interface TimelineCommand {
  readonly topic: string
  readonly attempt: number
  readonly epoch: number
  /** Epoch milliseconds, as all times here. */
  readonly sentAt: number
  /** Where the log has it, as its answer says; nothing while there is none. */
  readonly place: RecordPlace | undefined
  readonly answer: TimelineAnswer | undefined
  /** Between sending it and taking its answer, by the clock of the order's task. */
  readonly durationMs: number | undefined
}

export interface TimelineAnswer {
  readonly status: string
  readonly reason: string | null
  readonly at: number
  readonly place: RecordPlace | null
  readonly cause: RecordPlace | null
}

interface Sent {
  readonly sending: OrderSending
  readonly sentAt: number
  /** Of the record or timer that made the command. */
  readonly madeBy: number
  answer: OrderEvent | undefined
}

interface Step {
  readonly part: OrderPart
  readonly sent: Sent[]
  readonly answers: OrderEvent[]
}

export interface TimelineOptions {
  /** Events that are kept of an order. */
  readonly maxEvents: number
  /** There is an order, and not only payments that none asked for: then its creation is the beginning. */
  readonly isOrder: boolean
}

export function timelineOf(events: readonly OrderEvent[], { maxEvents, isOrder }: TimelineOptions): Timeline {
  const begins = !isOrder || events.some(({ kind }) => kind === 'CREATED')
  const steps = new Map<string, Step>()
  const stepOf = (part: OrderPart): Step => {
    const { kind, id, step: name, part: which, undo } = part
    const key = JSON.stringify([kind, id, name, which, undo])
    const step = steps.get(key) ?? { part, sent: [], answers: [] }
    steps.set(key, step)
    return step
  }
  for (const event of events) {
    // What it answers was sent before it.
    if (event.answered !== null) take(stepOf(event.answered), event)
    const madeBy = event.record?.timestamp ?? event.at
    for (const sending of event.sent) {
      stepOf(sending.of).sent.push({ sending, sentAt: event.at, madeBy, answer: undefined })
    }
  }
  return { complete: begins && events.length < maxEvents, events, steps: [...steps.values()].map(shown) }
}

function take({ sent, answers }: Step, event: OrderEvent): void {
  const { cause, causationId } = event
  const asked = sent.filter(({ sending }) => cause === null || topicOf(sending) === cause.topic)
  const named =
    causationId === null ? undefined : asked.findLast(({ madeBy }) => madeBy === timeIn(causationId))
  const command = named ?? (asked.length === 1 ? asked[0] : undefined)
  if (command === undefined || command.answer !== undefined) answers.push(event)
  else command.answer = event
}

function topicOf({ topic }: OrderSending): string {
  return topics[topic as keyof typeof topics]?.name ?? topic
}

/** Milliseconds in a UUIDv7. */
function timeIn(eventId: string): number {
  return Number.parseInt(eventId.slice(0, 8) + eventId.slice(9, 13), 16)
}

function shown({ part, sent, answers }: Step): TimelineStep {
  const commands = sent.map(({ sending, sentAt, answer }): TimelineCommand => {
    const { attempt, epoch } = sending
    return {
      topic: topicOf(sending),
      attempt,
      epoch,
      sentAt,
      place: answer?.cause ?? undefined,
      answer: answer === undefined ? undefined : answerOf(answer),
      durationMs: answer === undefined ? undefined : answer.at - sentAt,
    }
  })
  return { ...part, commands, answers: answers.map(answerOf) }
}

function answerOf({ status, reason, at, record, cause }: OrderEvent): TimelineAnswer {
  return { status, reason, at, place: record, cause }
}
