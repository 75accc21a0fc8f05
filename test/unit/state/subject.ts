/** The stores that the random lives of `life.ts` are led in. */
import { keyValueStore, serdes, windowStore } from '../../../state/index.ts'
import type { Row } from './model.ts'

export const rowStore = keyValueStore({
  name: 'rows',
  value: serdes.json<Row>(),
  indexes: {
    'by-n': { group: (_key, row) => row.group, score: (_key, row) => (row.n % 2 === 0 ? row.n : undefined) },
  },
})

export const windowedStore = windowStore({
  name: 'windows',
  value: serdes.int64,
  retentionMs: 1_000,
  indexes: { best: { group: (at) => `${at.window}/${at.start}`, score: (_at, value) => value } },
})
