import { expect, test } from 'vitest'
import { fuzzHttp } from '../fuzz/http.ts'

const REQUESTS = 1_000

test(`${REQUESTS} requests that nobody meant have answers that may be, and the shop does its work after them`, async () => {
  const { statuses } = await fuzzHttp(13, REQUESTS)
  for (const status of [200, 400, 404]) expect(statuses.get(status)).toBeGreaterThan(0)
  // Some get through to the log and the rules: it is not only the first check that is tried.
  expect((statuses.get(202) ?? 0) + (statuses.get(409) ?? 0)).toBeGreaterThan(0)
})
