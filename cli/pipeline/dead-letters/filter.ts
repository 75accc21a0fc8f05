/** Which dead letters are meant. Pure. */
import type { DeadLetterFilter } from '../../../api/index.ts'
import type { DeadLetter } from '../../../streams/index.ts'

/** All but the topic, which says where to look. */
export function matches(filter: Omit<DeadLetterFilter, 'topic'>, letter: DeadLetter): boolean {
  const { error, from, to, key, partition, offset } = filter
  const { record, timestamp } = letter
  return (
    (error === undefined || letter.error === error) &&
    (from === undefined || timestamp >= from) &&
    (to === undefined || timestamp < to) &&
    (key === undefined || record.key?.toString('utf8') === key) &&
    (partition === undefined || record.partition === partition) &&
    (offset === undefined || record.offset === offset)
  )
}
