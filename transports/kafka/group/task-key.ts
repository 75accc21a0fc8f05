/** How a task is named among the members of its topology's group: `<sub-topology>_<partition>`. */

export type TaskKey = `${number}_${number}`

export interface KeyedTask {
  readonly subTopology: number
  readonly partition: number
}

/** A task whose state a member has on disk. */
export interface WarmTask {
  readonly task: TaskKey
  /** Changelog records that the state lacks; absent when the member does not know. */
  readonly lag?: number | undefined
}

export function taskKey(subTopology: number, partition: number): TaskKey {
  return `${subTopology}_${partition}`
}

/** Nothing for a text that `taskKey` does not write. */
export function parseTaskKey(key: string): KeyedTask | undefined {
  const match = /^(0|[1-9]\d{0,9})_(0|[1-9]\d{0,9})$/.exec(key)
  return match === null ? undefined : { subTopology: Number(match[1]), partition: Number(match[2]) }
}
