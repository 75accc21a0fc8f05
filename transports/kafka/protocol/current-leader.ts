/** The leader that a broker names when it is asked for a partition that it does not lead. */
import type { Reader } from './reader.ts'

export interface CurrentLeader {
  /** Node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
}

export function readCurrentLeader(from: Reader): CurrentLeader {
  const leader = { leader: from.int32(), leaderEpoch: from.int32() }
  from.tags()
  return leader
}
