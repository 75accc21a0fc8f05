/** A trip: a seat on every flight, then the money, then the ticket. */
import { keyValueStore, serdes } from '../../state/index.ts'
import { processor, type ProcessorContext, shape, type Topic, topology } from '../../streams/index.ts'
import { done, refused, runSaga, saga, type SagaInput, type SagaProgress } from '../../streams/kit/index.ts'

type Trip = { flights: string[]; price: number; payBy: number }
/** A receiver does each `(trip, what, part, epoch)` once. */
export type TripCommand = {
  what: 'seat' | 'free' | 'pay' | 'pay back' | 'ticket'
  part: string
  epoch: number
}

const answer = (trip: Trip, ok: boolean) => (ok ? done(trip) : refused('no'))
const patience = { timeoutMs: 5_000, retry: { attempts: 3, backoffMs: 500 } }
export const tripSaga = saga<Trip, TripCommand>()({
  name: 'trip',
  steps: {
    seats: {
      parts: (trip) => trip.flights,
      command: (_trip, { part, epoch }) => ({ what: 'seat', part, epoch }),
      answer,
      undo: (_trip, { part, epoch }) => ({ what: 'free', part, epoch }),
      patience,
    },
    money: {
      command: (_trip, { part, epoch }) => ({ what: 'pay', part, epoch }),
      answer,
      undo: (_trip, { did, part, epoch }) => (did === 'REFUSED' ? null : { what: 'pay back', part, epoch }),
      patience: { timeoutMs: null },
      undoPatience: patience,
    },
    ticket: { command: (_trip, { part, epoch }) => ({ what: 'ticket', part, epoch }), answer, patience },
  },
  pivot: 'money',
  deadline: (trip) => trip.payBy,
  keepMs: 7 * 86_400_000,
})

export type TripInput = SagaInput<Trip, typeof tripSaga.steps>
const jsonTopic = <V>(name: string): Topic<string, V> => {
  return { name, key: serdes.string, value: serdes.json(), cleanup: 'delete', timestamps: 'CreateTime' }
}
export const tripInputs = jsonTopic<TripInput>('trip.inputs')
export const tripCommands = jsonTopic<TripCommand>('trip.commands')
export const tripStore = keyValueStore<SagaProgress<Trip>>({ name: 'trips', value: serdes.json() })
const commands = shape<string, TripCommand>()
type Context = ProcessorContext<{ trips: typeof tripStore }, { commands: typeof commands }, { due: 'wall' }>
function advanceTrip(tripId: string, input: TripInput, { stores, emit, timers, wallTime }: Context): void {
  const send = (command: TripCommand) => emit.commands(tripId, command)
  runSaga(tripSaga, tripId, input, { store: stores.trips, timer: timers.due, send, wallTime })
}
const trips = processor({
  name: 'trip-saga',
  input: shape<string, TripInput>(),
  stores: { trips: tripStore },
  outputs: { commands },
  timers: { due: 'wall' },
  process: ({ key, value }, context) => advanceTrip(key, value, context),
  onTimer: { due: (tripId, context) => advanceTrip(tripId, { kind: 'timer' }, context) },
})
export const tripTopology = topology('trips', (t) =>
  t.stream(tripInputs).process(trips).commands.to(tripCommands),
)
