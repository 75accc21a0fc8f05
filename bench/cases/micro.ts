/** Small parts of the hot path, one by one, with tinybench. */
import { Bench } from 'tinybench'
import { type CouponIssued, topics } from '../../schemas/index.ts'
import { keys, keyValueStore, memoryBackend, serdes, TaskState } from '../../state/index.ts'
import { EventIdMaker, partitionFor } from '../../streams/index.ts'
import { report, smoke } from '../harness.ts'

const issued: CouponIssued = {
  requestId: '0190b3f0-0000-7000-8000-000000000001',
  couponId: 'summer-sale',
  userCouponId: 'summer-sale-123456',
  userId: 'user-123456',
  sequence: 123_456,
  shard: 0,
  sourceOffset: 7_654_321,
  issuedAt: 1_790_000_000_000,
  expiresAt: null,
  campaignRevision: 0,
  discount: null,
}
const bytes = topics.couponIssued.value.serialize(issued)
const key = Buffer.from('summer-sale')
const ids = new EventIdMaker('coupon-issuance.0_0')
const store = keyValueStore<string, [string, string]>({
  name: 'claims',
  key: keys.tuple(keys.string, keys.string),
  value: serdes.string,
})
const state = new TaskState({ reader: memoryBackend(), specs: [store], withChanges: false })
const claims = state.handle(store)
let n = 0

const bench = new Bench({ time: smoke ? 50 : 1_000 })
bench
  .add('Avro encode CouponIssued', () => void topics.couponIssued.value.serialize(issued))
  .add('Avro scan and decode CouponIssued', () => void topics.couponIssued.value.deserialize(bytes))
  .add('murmur2 of an 11-byte key', () => void partitionFor(key, 6))
  .add('event id of a cause', () => void ids.derive(1_790_000_000_000, 3, n++, 0))
  .add('store get and put, sealed every 1,000', () => {
    const at = n++
    const user: [string, string] = ['summer-sale', `user-${at % 100_000}`]
    claims.put(user, claims.get(user) ?? 'claimed')
    if (at % 1_000 === 0) {
      state.seal()
      state.committed()
    }
  })
await bench.run()
for (const task of bench.tasks) {
  if (task.result.state !== 'completed') throw new Error(`${task.name}: ${task.result.state}`)
  report({ what: task.name, 'operations/s': Math.round(task.result.throughput.mean) })
}
