/** What happened to an order, step by step, in the terminal. */
import type { Context } from '../context.ts'
import type { RunningShopFlags } from '../flags.ts'
import { table } from '../output.ts'
import { harmless, withRunningShop } from '../running-shop.ts'

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}
interface Answer {
  readonly status: string
  readonly reason?: string
  readonly at: number
  readonly position?: Place
}
interface Command {
  readonly topic: string
  readonly attempt: number
  readonly epoch: number
  readonly sentAt: number
  readonly position?: Place
  readonly answer?: Answer
  readonly durationMs?: number
}
interface Step {
  readonly saga: string
  readonly id?: string
  readonly step: string
  readonly part?: string
  readonly way: 'DO' | 'UNDO'
  readonly commands: readonly Command[]
  readonly answers: readonly Answer[]
}
/** Of `GET /v1/orders/{orderId}/timeline`. */
export interface OrderTimelineShape {
  readonly orderId: string
  readonly complete: boolean
  readonly states: readonly { readonly state: string; readonly at: number; readonly note?: string }[]
  readonly steps: readonly Step[]
}

export function showOrder(context: Context, orderId: string, flags: RunningShopFlags): Promise<void> {
  return withRunningShop(context, flags, async (shop) => {
    const path = `/v1/orders/${encodeURIComponent(orderId)}`
    const timeline = (await shop.get(`${path}/timeline`)) as unknown as OrderTimelineShape
    if (flags.json === true) return context.output.data(JSON.stringify(timeline, null, 2))
    context.output.data(described(timeline))
    if (!timeline.complete) context.output.say('More happened than is kept.')
  })
}

/** States and steps as tables, times from the order's beginning. */
export function described({ orderId, states, steps }: OrderTimelineShape): string {
  const begin = states[0]?.at ?? steps[0]?.commands[0]?.sentAt ?? 0
  const after = (at: number): string => `+${duration(at - begin)}`
  const passed = states.map(({ state, at, note }, i) => {
    const next = states[i + 1]?.at
    return [state, after(at), next === undefined ? '' : duration(next - at), harmless(note ?? '')]
  })
  const rows = steps.flatMap((step) => [
    ...step.commands.map((command) => commandRow(step, command, after)),
    ...step.answers.map((answer) => [
      nameOf(step),
      '',
      '',
      '?',
      '',
      said(answer),
      placeOf(answer.position),
      '',
    ]),
  ])
  const header = ['step', 'attempt', 'sent', 'command', 'at', 'answer', 'at', 'took']
  const began = new Date(begin).toISOString()
  return [
    `order ${orderId}, begun ${began}`,
    table(['state', 'after', 'for', 'note'], passed),
    table(header, rows),
  ].join('\n\n')
}

function commandRow(step: Step, command: Command, after: (at: number) => string): string[] {
  const { topic, attempt, epoch, sentAt, position, answer, durationMs } = command
  return [
    nameOf(step),
    epoch === 0 ? String(attempt) : `${attempt} (epoch ${epoch})`,
    after(sentAt),
    topic,
    placeOf(position),
    answer === undefined ? '-' : said(answer),
    placeOf(answer?.position),
    durationMs === undefined ? '' : duration(durationMs),
  ]
}

function nameOf({ saga, id = '', step, part = '', way }: Step): string {
  const whose = saga === 'ORDER' ? '' : `${saga.toLowerCase()} ${id}`
  const words = [whose, way === 'UNDO' ? 'undo' : '', step, part]
  return harmless(words.filter((word) => word !== '').join(' '))
}

function said({ status, reason }: Answer): string {
  return harmless(reason === undefined ? status : `${status} ${reason}`)
}

/** Of the topic that stands beside it. */
function placeOf(place: Place | undefined): string {
  return place === undefined ? '' : `${place.partition}:${place.offset}`
}

function duration(ms: number): string {
  return ms < 10_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`
}
