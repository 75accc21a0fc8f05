/** The running shop as a replay sees it: a log to append to, and room to wait for. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplayTarget } from '../retail/replay.ts'
import { assertHealthy } from './settled.ts'
import type { Shop } from './shop.ts'

/** Between two looks whether there is room. */
const LOOK_MS = 20

export function replayTarget({ topics, log, streams, admission }: Shop): ReplayTarget {
  return {
    topics,
    append: (records) => log.append(records),
    async roomFor(names, signal) {
      for (;;) {
        assertHealthy(streams)
        if (names.every((topic) => admission.refusal(topic) === undefined)) return
        await sleep(LOOK_MS, undefined, { signal })
      }
    },
  }
}
