/** Timers in the simulator: each fires once, on either clock, never before its time, and not at all once cancelled. */
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { processor, shape, topology } from '../../streams/index.ts'
import type { OutsideRecord, SimulatedApp, SimulatedOutcome } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'
import { everlasting } from './shop-records.ts'

const PARTITIONS = 2
const REMINDERS = 40
const WALL_MS_MAX = 15_000
const STREAM_MS_MAX = 60_000
/** A timer that is cancelled later is never due before. */
const FAR_MS = 10 * 60_000

const asked = stringTopic('reminder.asked')
const fired = stringTopic('reminder.fired')
const seenStore = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

/** `<wall|stream|cancel> <milliseconds>`; asked for twice, the first counts. */
const remind = processor({
  name: 'remind',
  input: shape<string, string>(),
  outputs: { out: shape<string, string>() },
  stores: { seen: seenStore },
  timers: { wall: 'wall', stream: 'stream' },
  process(record, { stores, timers, wallTime }) {
    const [what, ms] = record.value?.split(' ') ?? []
    if (what === 'cancel') return timers.wall.cancel(record.key)
    if (stores.seen.get(record.key) !== undefined) return
    stores.seen.put(record.key, 0)
    if (what === 'wall') timers.wall.schedule(record.key, wallTime + Number(ms))
    if (what === 'stream') timers.stream.schedule(record.key, record.timestamp + Number(ms))
  },
  onTimer: {
    wall(key, { emit, stores, wallTime }, at) {
      stores.seen.put(key, (stores.seen.get(key) ?? 0) + 1)
      emit.out(key, `${wallTime < at ? 'early' : 'wall'} ${stores.seen.get(key)}`)
    },
    stream(key, { emit, stores, streamTime }, at) {
      stores.seen.put(key, (stores.seen.get(key) ?? 0) + 1)
      emit.out(key, `${streamTime < at ? 'early' : 'stream'} ${stores.seen.get(key)}`)
    },
  },
})

const reminders = topology('reminders', (t) => {
  t.stream(asked).process(remind).out.to(fired)
})

export function timers(): SimulatedApp {
  /** What must fire, by key. */
  const expected = new Map<string, string>()
  return {
    topologies: [reminders],
    topicSpec: everlasting(PARTITIONS),

    load(random, start) {
      const cancels: string[] = []
      let made = 0
      let ends = 0
      const record = (
        key: string,
        value: string,
        at: number,
        partition = random.below(PARTITIONS),
      ): OutsideRecord => {
        return {
          topic: asked.name,
          key: Buffer.from(key),
          value: Buffer.from(value),
          timestamp: at,
          partition,
        }
      }
      return {
        first: [],
        next(now) {
          if (made >= REMINDERS && cancels.length === 0) {
            // Stream time passes everything.
            if (ends++ > 0) return undefined
            const end = Math.max(now, start) + 2 * FAR_MS
            return Array.from({ length: PARTITIONS }, (_, partition) => record('end', 'end', end, partition))
          }
          const cancel = random.chance(0.5) || made >= REMINDERS ? cancels.shift() : undefined
          if (cancel !== undefined)
            return [record(cancel, 'cancel', now, Number(cancel.slice(1)) % PARTITIONS)]
          const key = `k${++made}`
          const partition = made % PARTITIONS
          const roll = random.next()
          if (roll < 0.1) {
            cancels.push(key)
            return [record(key, `wall ${FAR_MS}`, now, partition)]
          }
          const what = roll < 0.6 ? 'wall' : 'stream'
          const ms = random.below(what === 'wall' ? WALL_MS_MAX : STREAM_MS_MAX)
          expected.set(key, what)
          return [record(key, `${what} ${ms}`, now, partition)]
        },
      }
    },

    isDone: (outcome) => said(outcome).length >= expected.size,

    judge(outcome) {
      const all = said(outcome)
      const complaints = all.flatMap(({ key, value }) => {
        const should = expected.get(key)
        return value === `${should} 1` ? [] : [`timer of ${key}: ${value}, expected ${should ?? 'nothing'}`]
      })
      const keysSaid = new Set(all.map(({ key }) => key))
      return [
        ...complaints,
        ...[...expected.keys()].flatMap((key) => (keysSaid.has(key) ? [] : [`timer of ${key} is lost`])),
      ]
    },
  }
}

function said(outcome: SimulatedOutcome) {
  return outcome.records(fired.name).map(({ key, value }) => ({ key: String(key), value: String(value) }))
}
