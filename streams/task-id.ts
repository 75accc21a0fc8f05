/** A task: one partition of one sub-topology of one topology; written `<topology>.<sub-topology>_<partition>`. */
export interface TaskId {
  readonly topology: string
  readonly subTopology: number
  readonly partition: number
}

export function taskName(id: TaskId): string {
  return `${id.topology}.${id.subTopology}_${id.partition}`
}

/** Throws a `RangeError` for anything that `taskName` does not write. */
export function parseTaskName(name: string): TaskId {
  const match = /^(.+)\.(\d+)_(\d+)$/.exec(name)
  if (match?.[1] === undefined) throw new RangeError(`not a task name: ${name}`)
  return { topology: match[1], subTopology: Number(match[2]), partition: Number(match[3]) }
}
