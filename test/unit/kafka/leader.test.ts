/** What the leader of a group gives its members, where nobody died. */
import { expect, test } from 'vitest'
import { processor, shape, topology } from '../../../streams/index.ts'
import { groupSpecOf } from '../../../streams/group-spec.ts'
import { leadGroup } from '../../../transports/kafka/group/leader.ts'
import { decodeAssignment, encodeSubscription } from '../../../transports/kafka/group/metadata.ts'
import { ManualClock } from '../../../testing/index.ts'
import { stringTopic } from '../../support/topics.ts'

const input = shape<string, string>()
const pass = processor({ name: 'pass', input, process: () => {} })
const remind = processor({
  name: 'remind',
  input,
  timers: { due: 'wall' },
  process: (record, { timers }) => timers.due.schedule(record.key, 1),
  onTimer: { due: () => {} },
})
const reminders = topology('reminders', (t) => {
  t.stream(stringTopic('passed')).process(pass)
  t.stream(stringTopic('orders')).process(remind)
})
const spec = groupSpecOf('shop', reminders)

function subscription(slot: string): Buffer {
  return encodeSubscription({
    topics: ['passed', 'orders'],
    processId: crypto.randomUUID(),
    slot,
    transactionalId: `shop.reminders.${slot}.1`,
    rememberedIds: [],
    owned: [],
    ownedGeneration: -1,
    warm: [],
    standbys: 1,
    topologyFingerprint: 'same',
    engineVersion: '0',
  })
}

test('timers are state: a task that has nothing else has its standby, one without either has none', async () => {
  expect(spec.subTopologies.map(({ inputs, hasState }) => [...inputs, hasState])).toEqual([
    ['passed', false],
    ['orders', true],
  ])
  const unreached = () => Promise.reject(new Error('nobody is asked'))
  const assigned = await leadGroup(
    {
      spec,
      brokers: {
        clock: new ManualClock(0),
        brokers: () => [],
        coordinator: unreached,
        forgetCoordinator: () => {},
        send: unreached,
      },
      partitions: () => 1,
      onFenced: () => {},
      onUnreadable: () => {},
    },
    new Map(['a', 'b'].map((slot) => [slot, subscription(slot)])),
  )
  const standbys = [...assigned.values()].flatMap((bytes) => {
    const read = decodeAssignment(bytes, spec.subTopologies)
    return read.kind === 'understood' ? read.assignment.standby : []
  })
  expect(standbys).toEqual(['1_0'])
})
