/** I15 and I23, and every board against a plain recomputation. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type RankingSnapshot, topics } from '../../schemas/index.ts'
import { memoryBackend } from '../../state/index.ts'
import { redecide } from '../../streams/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { regressions } from '../topology/best-sellers-driver.ts'
import { histories, type History } from './ranking-history.ts'
import { entriesOf, RankingModel } from './ranking-model.ts'
import { type Disturbance, factsAsRead, type Played, playEach, playTogether } from './ranking-played.ts'

function boardsOf({ driver }: Played): RankingSnapshot[] {
  return [...driver.latest(topics.rankingSnapshot).values()]
}

function modelOf({ timeZone, facts }: History, partitions: number): RankingModel {
  const model = new RankingModel(timeZone, partitions)
  for (const fact of facts) {
    model.apply(fact)
    model.settle()
  }
  return model
}

/** What the model says of every board, under the keys of the topic. */
function expectedOf(model: RankingModel) {
  const boards = [...model.boards.values()].flatMap((board) =>
    (['quantity', 'amount'] as const).map((metric) => {
      const { window, start, end, applied, lateCount, final, corrected } = board
      const entries = entriesOf(board, metric)
      const key = `${window}|${metric}||${start}`
      return [key, { start, end, revision: applied, lateCount, final, corrected, entries }] as const
    }),
  )
  return new Map(boards)
}

type Expected = ReturnType<typeof expectedOf> extends Map<string, infer V> ? V : never

/** The same of what was said. */
function saidOf(played: Played): Map<string, Expected> {
  return new Map(
    boardsOf(played).map((board) => {
      const { start, end, revision, lateCount, final, corrected } = board
      const entries = board.entries.map(({ rank, productId, score, quantity, amount }) => ({
        rank,
        productId,
        score,
        quantity,
        amount,
      }))
      const key = topics.rankingSnapshot.keyOf(board)
      return [key, { start, end, revision, lateCount, final, corrected, entries }]
    }),
  )
}

/** Without what depends on who was read first. */
function counts(boards: Map<string, Expected>) {
  return new Map(
    [...boards].map(([key, { entries, revision, start, end }]) => [key, { entries, revision, start, end }]),
  )
}

function expectInvariants({ driver }: Played): void {
  expect(regressions(driver.read(topics.rankingSnapshot))).toEqual([])
}

const modes: [string, Partial<DriverOptions>][] = [
  ['one partition', {}],
  ['three partitions', { partitions: 3 }],
  ['three partitions, restarted after every record', { partitions: 3, restartAfterEachRecord: true }],
  [
    'three partitions, rebuilt from changelogs after every record',
    { partitions: 3, restartAfterEachRecord: true, stateHome: 'task' },
  ],
]

describe.each(modes)('I15 I23 one fact after the other: %s', (_, mode) => {
  test('every board is the recomputed one, with what was late, final and corrected', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const played = await playEach(history, mode)
        expect(saidOf(played)).toEqual(expectedOf(modelOf(history, mode.partitions ?? 1)))
        expectInvariants(played)
        await played.driver.close()
      }),
      { numRuns: 25 },
    )
  })
})

const disturbances = fc.array(
  fc.constantFrom<Disturbance[]>('none', 'none', 'none', 'settle', 'crash', 'second'),
  {
    minLength: 1,
    maxLength: 8,
  },
)

const heapModes: [string, Partial<DriverOptions>][] = [
  ['one partition', {}],
  ['three partitions', { partitions: 3 }],
  ['three partitions, rebuilt from changelogs after crashes', { partitions: 3, stateHome: 'task' }],
]

describe.each(['streamTime', 'wallClock'] as const)('I15 I23 facts in heaps, closing by %s', (closing) => {
  test.each(heapModes)('every board is the recomputed one: %s', async (_, mode) => {
    await fc.assert(
      fc.asyncProperty(histories, disturbances, async (history, disturbed) => {
        const played = await playTogether(history, disturbed, mode, { closing })
        const said = saidOf(played)
        const partitions = mode.partitions ?? 1
        const facts = factsAsRead(played, partitions)
        expect(facts).toHaveLength(history.facts.length)
        expect(counts(said)).toEqual(counts(expectedOf(modelOf({ ...history, facts }, partitions))))
        if (closing === 'wallClock') expect([...said].filter(([, { final }]) => !final)).toEqual([])
        expectInvariants(played)
        await played.driver.close()
      }),
      { numRuns: 25 },
    )
  })
})

test('restarts change no board', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const [steady, restarted] = await Promise.all(
        [{}, { restartAfterEachRecord: true }].map(async (mode) => {
          const played = await playEach(history, { partitions: 2, ...mode })
          await played.driver.close()
          return played.driver.latest(topics.rankingSnapshot)
        }),
      )
      expect(restarted).toEqual(steady)
    }),
    { numRuns: 15 },
  )
})

test('I24 deciding the retained inputs again gives the same bytes and the same state', async () => {
  await fc.assert(
    fc.asyncProperty(histories, disturbances, async (history, disturbed) => {
      const { driver, topology } = await playTogether(history, disturbed, {}, { closing: 'wallClock' })
      for (const subTopology of [0, 1, 2]) {
        const task = { topology: topology.name, subTopology, partition: 0 }
        const backend = memoryBackend()
        const journal = driver.journal(task)
        const result = await redecide({ topology, task, log: driver.log, journal, backend })
        expect(result).toMatchObject({ batches: journal.length, firstDifference: undefined })
        const everything = { gte: Buffer.alloc(0), lt: Buffer.alloc(8, 0xff) }
        const live = await driver.log.taskState(task)
        const rows = await live.page(everything, { limit: 10_000 })
        expect(await backend.page(everything, { limit: 10_000 })).toEqual(rows)
      }
      await driver.close()
    }),
    { numRuns: 15 },
  )
})

test('the histories are such that everything happens', () => {
  const seen = new Map<string, number>()
  const count = (what: string, happened: boolean) =>
    seen.set(what, (seen.get(what) ?? 0) + (happened ? 1 : 0))
  for (const history of fc.sample(histories, { numRuns: 300, seed: 1 })) {
    const model = modelOf(history, 3)
    const boards = [...model.boards.values()]
    count(
      'late',
      boards.some(({ lateCount }) => lateCount > 0),
    )
    count(
      'final',
      boards.some(({ final }) => final),
    )
    count(
      'corrected',
      boards.some(({ corrected }) => corrected),
    )
    count(
      'a day of 25 hours',
      boards.some(({ start, end }) => end - start === 25 * 3_600_000),
    )
    count(
      'a tie',
      boards.some(
        (board) =>
          new Set(entriesOf(board, 'quantity').map(({ rank }) => rank)).size <
          entriesOf(board, 'quantity').length,
      ),
    )
    count('more came back than was sold', model.exceeded > 0)
    count(
      'empty',
      boards.some((board) => entriesOf(board, 'quantity').length === 0),
    )
  }
  expect([...seen].filter(([, times]) => times < 10)).toEqual([])
})
