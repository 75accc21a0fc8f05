/**
 * Sagas in the simulator: the trips of `docs/saga.md` among vendors that refuse, are silent at first, and hear undo
 * before do. In the end every trip stands whole or not at all.
 */
import {
  type TripCommand,
  tripCommands,
  type TripInput,
  tripInputs,
  tripSaga,
} from '../../docs/examples/trip-saga.ts'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { type ProcessorContext, processor, shape, topology } from '../../streams/index.ts'
import {
  doKind,
  isEnded,
  noEpochs,
  runSaga,
  type SagaProgress,
  stands,
  type StepEpochs,
  undoKind,
} from '../../streams/kit/index.ts'
import type { OutsideRecord, SimulatedApp, SimulatedOutcome } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'
import { everlasting } from './shop-records.ts'

const PARTITIONS = 2
const TRIPS = 30
/** Further away than clocks jump. */
const PAY_WITHIN_MS = 24 * 3_600_000

/** What vendors say; clients write the other topic, where a record may be twice. */
const answers: typeof tripInputs = { ...tripInputs, name: 'trip.answers' }
/** `DONE` and `UNDONE`, once per trip. */
const ended = stringTopic('trip.ended')
/** `seat AB1 +1`: what a vendor did and took back. */
const ledger = stringTopic('trip.ledger')

type Trip = Extract<TripInput, { kind: 'begin' }>['data']
const tripStore = keyValueStore<SagaProgress<Trip>>({ name: 'trips', value: serdes.json() })
const commands = shape<string, TripCommand>()
const words = shape<string, string>()
type Context = ProcessorContext<
  { trips: typeof tripStore },
  { commands: typeof commands; ended: typeof words },
  { due: 'wall' }
>

function advanceTrip(tripId: string, input: TripInput, { stores, emit, timers, wallTime }: Context): void {
  const send = (command: TripCommand) => emit.commands(tripId, command)
  const { before, after } = runSaga(tripSaga, tripId, input, {
    store: stores.trips,
    timer: timers.due,
    send,
    wallTime,
  })
  if (after !== undefined && isEnded(after) && before?.phase !== after.phase) emit.ended(tripId, after.phase)
}

const sagas = processor({
  name: 'sagas',
  input: shape<string, TripInput>(),
  stores: { trips: tripStore },
  outputs: { commands, ended: words },
  timers: { due: 'wall' },
  process: ({ key, value }, context) => advanceTrip(key, value, context),
  onTimer: { due: (tripId, context) => advanceTrip(tripId, { kind: 'timer' }, context) },
})

/** What a vendor knows of a thing: what it said last, and how often it was asked. */
interface Asked extends StepEpochs {
  readonly yes: boolean
  readonly heard: number
}
const askedStore = keyValueStore<Asked, [tripId: string, thing: string, part: string]>({
  name: 'asked',
  key: keys.tuple(keys.string, keys.string, keys.string),
  value: serdes.json(),
})
const UNDOES: Readonly<Record<string, string>> = { free: 'seat', 'pay back': 'pay' }
const STEP_OF = { seat: 'seats', pay: 'money', ticket: 'ticket' } as const

/** Refuses seat `b` of trips named `no…`; says nothing to the first of each command but `pay` of trips named `…s`. */
const vendors = processor({
  name: 'vendors',
  input: commands,
  stores: { asked: askedStore },
  outputs: { answers: shape<string, TripInput>(), ledger: words },
  process({ key: tripId, value: { what, part, epoch } }, { stores, emit }) {
    const thing = (UNDOES[what] ?? what) as keyof typeof STEP_OF
    const before = stores.asked.get([tripId, thing, part]) ?? { ...noEpochs, yes: false, heard: 0 }
    const isThere = stands(before) && before.yes
    const heard = before.heard + 1
    const step = STEP_OF[thing]
    let after: Asked = { ...before, heard }
    let answer: TripInput
    if (what === thing) {
      const kind = doKind(before, epoch)
      if (kind === 'DECIDE') after = { ...after, epoch, yes: !(tripId.startsWith('no') && part === 'b') }
      if (after.yes && stands(after) && !isThere) emit.ledger(tripId, `${thing} ${part} +1`)
      answer = { kind: 'answer', step, part, answer: kind !== 'CANCELLED' && after.yes }
    } else {
      if (undoKind(before, epoch) === 'UNDO') after = { ...after, undone: epoch }
      if (isThere && !stands(after)) emit.ledger(tripId, `${thing} ${part} -1`)
      answer = { kind: 'undone', step, part, answer: true }
    }
    stores.asked.put([tripId, thing, part], after)
    // The money is waited for as long as it takes.
    const silent = tripId.endsWith('s') && heard === 1 && what !== 'pay'
    if (!silent) emit.answers(tripId, answer)
  },
})

const agency = topology('agency', (t) => {
  const out = t.stream(tripInputs).merge(t.stream(answers)).process(sagas)
  out.commands.to(tripCommands)
  out.ended.to(ended)
})
const market = topology('market', (t) => {
  const out = t.stream(tripCommands).process(vendors)
  out.answers.to(answers)
  out.ledger.to(ledger)
})

export function trips(): SimulatedApp {
  const begun = new Set<string>()
  return {
    topologies: [agency, market],
    topicSpec: everlasting(PARTITIONS),

    load(random) {
      const cancels: string[] = []
      return {
        first: [],
        next(now) {
          const cancel = begun.size >= TRIPS || random.chance(0.5) ? cancels.shift() : undefined
          if (cancel !== undefined) return [input(cancel, { kind: 'cancel', reason: 'changed my mind' }, now)]
          if (begun.size >= TRIPS) return undefined
          const tripId = `${random.chance(0.3) ? 'no' : 'yes'}${begun.size}${random.chance(0.4) ? 's' : ''}`
          begun.add(tripId)
          if (random.chance(0.3)) cancels.push(tripId)
          const flights = ['a', 'b', 'c'].slice(0, 1 + random.below(3))
          const data = { flights, price: 100, payBy: now + PAY_WITHIN_MS }
          return [input(tripId, { kind: 'begin', data }, now)]
        },
      }
    },

    isDone: (outcome) => ends(outcome).size >= begun.size,

    judge(outcome) {
      const phases = ends(outcome)
      const effects = effectsOf(outcome)
      return [...begun].flatMap((tripId) => {
        const said = phases.get(tripId) ?? []
        const stands = [...(effects.get(tripId) ?? [])].filter(([, count]) => count !== 0)
        if (said.length !== 1) return [`trip ${tripId} ended as ${said.join(', ') || 'nothing'}`]
        if (said[0] === 'UNDONE' && stands.length > 0)
          return [`trip ${tripId} is undone, but ${stands.join('; ')}`]
        const whole = stands.every(([, count]) => count === 1)
        const things = stands.map(([thing]) => thing)
        if (said[0] === 'DONE' && !(whole && things.includes('pay ') && things.includes('ticket '))) {
          return [`trip ${tripId} is done, but only ${stands.join('; ')}`]
        }
        return []
      })
    },
  }
}

function input(tripId: string, value: TripInput, now: number): OutsideRecord {
  return {
    topic: tripInputs.name,
    key: Buffer.from(tripId),
    value: tripInputs.value.serialize(value),
    timestamp: now,
  }
}

function ends(outcome: SimulatedOutcome): Map<string, string[]> {
  const phases = new Map<string, string[]>()
  for (const { key, value } of outcome.records(ended.name)) {
    phases.set(String(key), [...(phases.get(String(key)) ?? []), String(value)])
  }
  return phases
}

/** What stands of each trip: thing → how often. */
function effectsOf(outcome: SimulatedOutcome): Map<string, Map<string, number>> {
  const effects = new Map<string, Map<string, number>>()
  for (const { key, value } of outcome.records(ledger.name)) {
    const [what = '', part = '', by] = String(value).split(' ')
    const trip = effects.get(String(key)) ?? new Map<string, number>()
    const thing = `${what} ${part}`
    effects.set(String(key), trip.set(thing, (trip.get(thing) ?? 0) + Number(by)))
  }
  return effects
}
