/** What goes in and out of the routes of dead letters. */
import { Type } from 'typebox'
import { count, Instant, Millis } from '../shapes.ts'
import { deadLetterExample, redriveExample } from './examples.ts'

export const TopicName = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,249}$',
  description: 'The topic that they come from, or that of the dead letters.',
  examples: ['order.confirmed'],
})
const ErrorName = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'Class of the failure, exactly.',
  examples: ['DeserializationError'],
})
/** In a path, where all is text. */
export const Digits = Type.String({ pattern: '^\\d{1,15}$', examples: ['0'] })
const Place = Type.Object({ topic: Type.String(), partition: count(0), offset: count(0) })

export const filters = {
  error: Type.Optional(ErrorName),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  key: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
}
export const state = Type.Enum(['waiting', 'sent', 'all'], {
  description: 'Those not sent back yet, those that were, or all. Default waiting.',
})

const Filter = Type.Object(
  {
    topic: TopicName,
    ...filters,
    partition: Type.Optional(count(0, { description: 'Of the dead letter.' })),
    offset: Type.Optional(count(0, { description: 'Of the dead letter.' })),
  },
  { additionalProperties: false },
)

const summary = {
  deadLetter: Place,
  original: Type.Optional(Place),
  dialect: Type.Enum(['streams', 'connect', 'spring', 'unknown']),
  error: Type.String(),
  consumer: Type.Optional(Type.String()),
  timestamp: Millis,
  key: Type.Optional(Type.String({ description: 'Absent where it does not look like an id.' })),
  keyBytes: count(0),
  valueBytes: count(0),
  state: Type.Enum(['waiting', 'begun', 'sent']),
  redriven: Type.Optional(Place),
}
export const Letters = Type.Object(
  {
    items: Type.Array(Type.Object(summary)),
    cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
  },
  {
    description: 'One page, by topic, partition and offset. It may be short and have a next one.',
    examples: [{ items: [deadLetterExample] }],
  },
)
export const Letter = Type.Object(
  {
    ...summary,
    reason: Type.Optional(
      Type.String({
        description: 'Why a connector set it aside: fields and codes, masked where it looks personal.',
      }),
    ),
    headers: Type.Array(
      Type.Object({ name: Type.String(), bytes: count(0), hex: Type.Optional(Type.String()) }),
    ),
    value: Type.Optional(Type.Unknown({ description: 'typed only.' })),
    keyHex: Type.Optional(Type.String({ description: 'raw only.' })),
    valueHex: Type.Optional(Type.String({ description: 'raw only.' })),
    message: Type.Optional(Type.String({ description: 'raw only: it may quote the record.' })),
    stacktrace: Type.Optional(Type.String({ description: 'raw only.' })),
  },
  {
    description: 'The dead letter.',
    examples: [{ ...deadLetterExample, headers: [{ name: '__streams.errors.topic', bytes: 15 }] }],
  },
)
export const Causes = Type.Object(
  {
    causes: Type.Array(
      Type.Object({
        topic: Type.String(),
        error: Type.String(),
        count: count(1),
        earliest: Millis,
        latest: Millis,
      }),
    ),
    complete: Type.Boolean({ description: 'false: there are more than were counted.' }),
  },
  {
    description: 'How many wait, by topic and error, most first.',
    examples: [
      {
        causes: [
          { topic: 'order.confirmed', error: 'DeserializationError', count: 3, earliest: 1, latest: 2 },
        ],
        complete: true,
      },
    ],
  },
)
export const Redrive = Type.Object(
  {
    filter: Filter,
    ends: Type.Optional(
      Type.Array(count(0), {
        maxItems: 1_024,
        description: 'Of an earlier answer: dead letters that came since are not meant.',
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Count, and send nothing. Default false.' })),
    ignoreEarlier: Type.Optional(
      Type.Boolean({
        description:
          'Earlier ones of a key that the filter leaves out hold back no later ones. Default false.',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ filter: { topic: 'order.confirmed', error: 'DeserializationError' }, dryRun: true }],
  },
)
export const Report = Type.Object(
  {
    dryRun: Type.Boolean(),
    matched: count(0, { description: 'Meant by the filter and not sent before.' }),
    already: count(0, { description: 'Sent by an earlier call.' }),
    sent: count(0, {
      description: 'Sent by this one; done + again + waiting, and what an earlier one began.',
    }),
    done: count(0, { description: 'Processed.' }),
    again: count(0, { description: 'Dead letters again.' }),
    waiting: count(0, { description: 'Not processed yet.' }),
    held: count(0, { description: 'Not sent: an earlier one of the key is not done.' }),
    unroutable: count(0, { description: 'Cannot go back: its topic is not known, or it is gone.' }),
    left: count(0, { description: 'Not sent yet: ask again. In a dry run: what would be sent.' }),
    complete: Type.Boolean({ description: 'Nothing is waiting or left.' }),
    ends: Type.Array(count(0), { description: 'Where the dead letters of each partition ended.' }),
  },
  { description: 'What this call did.', examples: [redriveExample] },
)
export const Resumed = Type.Object(
  {
    task: Type.String(),
    topic: Type.String({ description: 'Whose dead letters flooded.' }),
    records: count(0),
    deadLetters: count(0),
  },
  {
    description: 'Why the task was paused; it goes on.',
    examples: [{ task: 'best-sellers.0_3', topic: 'order.confirmed', records: 200, deadLetters: 100 }],
  },
)
