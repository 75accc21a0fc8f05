/** The saga kit among receivers that lose, repeat and reorder what they are sent and what they answer. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advance, sagaActions } from '../../streams/kit/index.ts'
import { type Errand, errands, type Event, World } from './saga-world.ts'

const errand: fc.Arbitrary<Errand> = fc.record({
  parts: fc.constantFrom(['a'], ['a', 'b'], ['a', 'b', 'c'], []),
  withExtra: fc.boolean(),
})
const yes = fc.integer({ min: 0, max: 7 }).map((chance) => chance > 0)
/** Mostly of the last few: there the interesting things are. */
const which = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 2 }) },
  { weight: 1, arbitrary: fc.nat({ max: 30 }) },
)
const outside: fc.Arbitrary<Event> = fc.oneof(
  fc.constant({ kind: 'cancel' as const }),
  fc.record({ kind: fc.constant('operator' as const), action: fc.constantFrom(...sagaActions) }),
)
const retry: fc.Arbitrary<Event> = fc.constant({ kind: 'operator' as const, action: 'retry' as const })
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flow' as const), yes }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      which,
      yes,
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('answer' as const), which }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(50, 200, 1_000, 1_000, 20_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'silence' as const }) },
  { weight: 1, arbitrary: retry },
)
/** Nobody interferes for a while, or never. */
const events = fc
  .tuple(
    fc.array(event, { maxLength: 20 }),
    fc.constantFrom<Event[]>(
      [],
      [
        { kind: 'flow', yes: true },
        { kind: 'deliver', which: 0, yes: true },
      ],
    ),
    fc.array(outside, { maxLength: 1 }),
    fc.constantFrom<Event[]>([], [{ kind: 'flow', yes: false }]),
    fc.array(event, { maxLength: 30 }),
  )
  .map((parts) => parts.flat())
const histories = fc.tuple(errand, events)

function played([given, events]: readonly [Errand, readonly Event[]]): World {
  const world = new World(given)
  for (const one of events) world.play(one)
  return world
}

/** To its end, with an operator who tries again whatever was in trouble, where receivers are well again. */
function playedOut(history: readonly [Errand, readonly Event[]]): World {
  const world = played(history)
  world.settle()
  for (let i = 0; i < 20 && world.attention; i++) {
    world.play({ kind: 'operator', action: 'retry' })
    world.settle()
  }
  return world
}

function holds(claim: (world: World) => void, play = playedOut): void {
  fc.assert(
    fc.property(histories, (history) => claim(play(history))),
    { numRuns: 1_000 },
  )
}

describe('a saga', () => {
  test('I14: ends once, or needs attention; an operator who tries again brings it to its end', () => {
    holds((world) => {
      expect(['DONE', 'UNDONE']).toContain(world.progress?.phase)
      const ended = world.moves.filter(({ after }) => after.endedAt !== null)
      expect(new Set(ended.map(({ after }) => after.phase)).size).toBe(1)
    })
  })

  test('I16: undone, nothing of it stands, also of steps whose answer never came', () => {
    holds((world) => {
      if (world.progress?.phase !== 'UNDONE' || world.byHand) return
      // A letter has no undo.
      expect([...world.effects].filter(([of, effect]) => of !== 'letter/' && effect !== 0)).toEqual([])
    })
  })

  test('I17: done, every part of every step stands once', () => {
    holds((world) => {
      if (world.progress?.phase !== 'DONE' || world.byHand) return
      for (const { name, parts } of world.progress.steps) {
        for (const { part } of parts)
          expect([name, part, world.effects.get(`${name}/${part}`)]).toEqual([name, part, 1])
      }
    })
  })

  test('sends a command only with progress that says so', () => {
    holds((world) => {
      for (const { after, commands } of world.moves) {
        for (const { step: name, kind, part: partName, epoch, attempt } of commands) {
          const step = after.steps.find((one) => one.name === name)
          const part = step?.parts.find((one) => one.part === partName)
          // An undo may be sent and passed over in one move only where there is nothing to wait for.
          expect(step).toMatchObject({ epoch, attempt })
          expect(kind === 'do' ? part?.did : part?.undid).toBe('SENT')
        }
      }
    })
  })

  test('undoes nothing after the pivot but for a refused parcel, a cancel or an operator', () => {
    holds((world) => {
      for (const { before, after, commands } of world.moves) {
        const paid = before?.steps.some(({ name, status }) => name === 'money' && status === 'DONE')
        if (paid !== true || !commands.some(({ kind }) => kind === 'undo')) continue
        const { kind, step } = after.cause ?? {}
        expect(kind === 'CANCELLED' || kind === 'OPERATOR' || (kind === 'REFUSED' && step === 'parcel')).toBe(
          true,
        )
      }
    })
  })

  test('undoes in reverse: a step only once all later ones are undone', () => {
    holds((world) => {
      for (const { after, commands } of world.moves) {
        for (const { step: name, kind } of commands) {
          if (kind === 'do') continue
          const at = after.steps.findIndex((one) => one.name === name)
          expect(after.steps.slice(at + 1).every(({ status }) => status === 'UNDONE')).toBe(true)
        }
      }
    })
  })

  test('I12: raises an epoch only when an operator tries again', () => {
    holds((world) => {
      for (const { input, before, after } of world.moves) {
        const raised = after.steps.filter((step) => {
          const known = before?.steps.find(({ name }) => name === step.name)
          return step.epoch !== (known?.epoch ?? 0)
        })
        if (raised.length > 0) expect(input).toMatchObject({ kind: 'operator', action: 'retry' })
      }
    })
  })

  test('I15: its revision grows with every change and only then; an ended one changes no more', () => {
    holds((world) => {
      for (const { before, after, commands } of world.moves) {
        if (before === undefined) continue
        const { revision: _, ...was } = before
        const { revision: __, ...is } = after
        if (after.revision === before.revision) expect(is).toEqual(was)
        else expect(after.revision).toBe(before.revision + 1)
        if (before.endedAt !== null) expect([after.phase, commands]).toEqual([before.phase, []])
      }
    })
  })

  test('I18: is not paid past its deadline: after it the pivot is neither asked for nor begun', () => {
    holds((world) => {
      for (const { before, after } of world.moves) {
        if (after.cause?.kind !== 'DEADLINE' || before?.direction === 'BACK') continue
        expect(after.steps.find(({ name }) => name === 'money')?.status ?? 'UNDONE').toBe('UNDONE')
      }
    })
  })

  test('I24: decides the same again from the same progress, input and time', () => {
    holds((world) => {
      for (const { before, input, commands, after, now } of world.moves) {
        const move = advance(errands, 'e1', before, input, now)
        expect(JSON.parse(JSON.stringify(move.progress))).toEqual(after)
        expect(move.commands).toEqual(commands)
      }
    })
  })

  test('an answer of the epoch before, heard after an operator tried again, leaves nothing standing', () => {
    const world = playedOut([
      { parts: [], withExtra: false },
      [
        { kind: 'deliver', which: 0, yes: true },
        { kind: 'answer', which: 0 },
        { kind: 'deliver', which: 0, yes: false },
        { kind: 'silence' },
        { kind: 'operator', action: 'retry' },
      ],
    ])
    expect(world.progress?.phase).toBe('UNDONE')
    expect(world.effects.get('parcel/')).toBe(0)
  })

  test('a step that was done while its saga went back stands, once going back came too late', () => {
    const world = playedOut([
      { parts: [], withExtra: false },
      [
        { kind: 'flow', yes: true },
        { kind: 'flow', yes: true },
        { kind: 'deliver', which: 0, yes: true },
        { kind: 'operator', action: 'compensate' },
        { kind: 'flow', yes: false },
      ],
    ])
    expect(world.progress?.phase).toBe('DONE')
    expect(world.effects.get('letter/')).toBe(1)
  })

  test('a refusal of the undo before does not turn round a saga whose undo an operator sent again', () => {
    const world = playedOut([
      { parts: ['a'], withExtra: false },
      [
        { kind: 'flow', yes: true },
        { kind: 'flow', yes: true },
        { kind: 'operator', action: 'compensate' },
        { kind: 'deliver', which: 1, yes: true },
        { kind: 'silence' },
        { kind: 'deliver', which: 0, yes: false },
        { kind: 'operator', action: 'retry' },
      ],
    ])
    expect(world.progress?.phase).toBe('UNDONE')
    expect(world.effects.get('parcel/')).toBe(0)
  })

  test('meets everything that may happen', () => {
    const seen = new Map<string, number>()
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
    for (const history of fc.sample(histories, { numRuns: 4_000, seed: 7 })) {
      const world = playedOut(history)
      const met = new Set<string>()
      for (const { before, after, notices } of world.moves) {
        for (const notice of notices) met.add(notice.kind === 'late' ? 'late' : notice.why)
        if (after.phase === 'NEEDS_ATTENTION') met.add(`attention ${after.direction}`)
        if (after.cause !== null) met.add(`back ${after.cause.kind}`)
        if (before?.direction === 'BACK' && after.direction === 'FORWARD')
          met.add('a cancel that came too late')
        if (after.steps.some(({ name, parts }) => name === 'goods' && parts.length === 0))
          met.add('passed over')
        if (after.steps.some(({ epoch }) => epoch > 0)) met.add('a raised epoch')
      }
      met.add(`ends ${world.progress?.phase}`)
      for (const what of met) count(what)
    }
    const missed = EVERYTHING.filter((what) => (seen.get(what) ?? 0) < 10)
    expect(missed).toEqual([])
  })
})

const EVERYTHING = [
  'late',
  'Repeated',
  'NotNow',
  'attention FORWARD',
  'attention BACK',
  'back REFUSED',
  'back TIMEOUT',
  'back DEADLINE',
  'back CANCELLED',
  'back OPERATOR',
  'a cancel that came too late',
  'passed over',
  'a raised epoch',
  'ends DONE',
  'ends UNDONE',
]
