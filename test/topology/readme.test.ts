/** The topology of the README, as it stands there. */
import { expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { processor, shape, topology } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'

const visits = stringTopic('visits')
const greetings = stringTopic('greetings')
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

const greet = processor({
  name: 'greet',
  input: shape<string, string>(),
  stores: { seen },
  outputs: { greetings: shape<string, string>() },
  timers: { missed: 'wall' },
  process(record, { stores, emit, timers, wallTime }) {
    const visits = (stores.seen.get(record.key) ?? 0) + 1
    stores.seen.put(record.key, visits)
    emit.greetings(record.key, visits === 1 ? 'welcome' : `back for the ${visits}th time`)
    timers.missed.schedule(record.key, wallTime + 7 * 86_400_000)
  },
  onTimer: {
    missed: (key, { emit }) => emit.greetings(key, 'we miss you'),
  },
})

const greeter = topology('greeter', (t) => {
  t.stream(visits).process(greet).greetings.to(greetings)
})

test.each([true, false])(
  'greets, and misses who does not come back (restarted: %s)',
  async (restartAfterEachRecord) => {
    const driver = await TopologyTestDriver.open({ topologies: [greeter], restartAfterEachRecord })
    await driver.pipe(visits, 'ann', 'front door')
    await driver.advanceWallTime(7 * 86_400_000, 3_600_000)
    expect(driver.read(greetings).map(({ value }) => value)).toEqual(['welcome', 'we miss you'])
    await driver.close()
  },
)
