/** A newer program on what an older one stored: in the log's own state, and restored from changelogs. */
import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { processor, shape, type Topic, topology, type Topology } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'

/** So many that no row is left for the last slice: what is over must be written all the same. */
const GUESTS = 1_000

const text: Omit<Topic<string, string>, 'name'> = {
  key: serdes.string,
  value: serdes.string,
  cleanup: 'delete',
  timestamps: 'CreateTime',
}
const visits: Topic<string, string> = { name: 'visits', ...text }

interface Guest {
  readonly door: string
  readonly visits: number
}

/** Version 1 of the values is the last door; version 2 counts visits too. */
const doors = keyValueStore({ name: 'guests', value: serdes.string })
const guests = keyValueStore({
  name: 'guests',
  value: serdes.json<Guest>(),
  version: 2,
  upcast: (_version, payload) => ({ door: serdes.string.deserialize(payload), visits: 1 }),
})

const keepDoor = processor({
  name: 'keeper',
  input: shape<string, string>(),
  stores: { doors },
  outputs: {},
  process: ({ key, value }, { stores }) => stores.doors.put(key, value),
})
const keepGuest = processor({
  name: 'keeper',
  input: shape<string, string>(),
  stores: { guests },
  outputs: {},
  process({ key, value }, { stores }) {
    stores.guests.put(key, { door: value, visits: (stores.guests.get(key)?.visits ?? 0) + 1 })
  },
})

function keeperOf(processor: typeof keepDoor | typeof keepGuest): Topology {
  return topology('keeper', (t) => {
    t.stream(visits).process(processor as typeof keepDoor)
  })
}
const before = keeperOf(keepDoor)
const after = keeperOf(keepGuest)
const task = { topology: 'keeper', subTopology: 0, partition: 0 }

describe.each(['log', 'task'] as const)('where state lives in the %s', (stateHome) => {
  async function filled(): Promise<TopologyTestDriver> {
    const driver = await TopologyTestDriver.open({ topologies: [before], stateHome })
    for (let i = 0; i < GUESTS; i++) await driver.pipe(visits, `guest ${i}`, 'front')
    return driver
  }

  test('values of an older version are read, used, and kept on', async () => {
    const driver = await filled()
    await driver.restart([after])
    await driver.pipe(visits, 'guest 1', 'back')
    for (let round = 0; round < 2; round++) {
      expect(driver.store(after, guests).get('guest 1')).toMatchObject({
        value: { door: 'back', visits: 2 },
      })
      expect(driver.store(after, guests).get('guest 2')).toMatchObject({
        value: { door: 'front', visits: 1 },
      })
      await driver.restart()
    }
    await driver.close()
  })

  test('an older program is refused on what a newer one wrote', async () => {
    const driver = await filled()
    await driver.restart([after])
    await driver.pipe(visits, 'guest 1', 'back')
    await expect(driver.restart([before])).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
    await driver.close()
  })
})

test('values are written anew while there is nothing else to do, and decide nothing', async () => {
  const driver = await TopologyTestDriver.open({ topologies: [before] })
  for (let i = 0; i < GUESTS; i++) await driver.pipe(visits, `guest ${i}`, 'front')
  await driver.restart([after])
  const rows = await driver.log.taskState(task)
  await driver.settle()
  const { prefix } = rows
  const key = (name: string) => Buffer.concat([prefix, Buffer.from(name)])
  const stored = await rows.page({ gte: key('guests\x00'), lt: key('guests\x01') }, { limit: 5_000 })
  expect(stored).toHaveLength(GUESTS)
  expect(new Set(stored.map(({ value }) => value[0]))).toEqual(new Set([2]))
  const journal = driver.journal(task)
  expect(journal.at(-1)).toMatchObject({ inputs: [], wallTimers: 0 })
  // The store says so, so that another start has nothing to look at: newest version, oldest version.
  expect(rows.get(key('guests\x02'))?.toString('latin1')).toContain('["key-value","string",2,2,{}]')
  await driver.close()
})

test('a store with another key is refused, and the way out is named', async () => {
  const driver = await TopologyTestDriver.open({ topologies: [before] })
  await driver.pipe(visits, 'ann', 'front')
  const numbered = keyValueStore({ name: 'guests', key: keys.int64, value: serdes.string })
  const other = processor({
    name: 'keeper',
    input: shape<string, string>(),
    stores: { numbered },
    outputs: {},
    process: ({ value }, { stores }) => stores.numbered.put(1, value),
  })
  const changed = topology('keeper', (t) => {
    t.stream(visits).process(other)
  })
  await expect(driver.restart([changed])).rejects.toMatchObject({
    code: 'STATE_INCOMPATIBLE',
    detail: expect.stringMatching(/key string; this program has int64: 'millrace state rebuild'/),
  })
  await driver.close()
})
