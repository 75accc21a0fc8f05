/** Compares the boards that HTTP gives with those that were computed the plain way. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ShopClient } from '../load/client.ts'
import { type Check, check } from '../load/verdicts.ts'
import type { Expected, ExpectedEntry } from './expected-boards.ts'

/** A changed board is sent on at most once a second; this is for a machine that is busy. */
const BOARD_TIMEOUT_MS = 20_000
const LOOK_MS = 100
const DEPTH = 1_000

export interface BoardEntry extends ExpectedEntry {
  readonly score: number
}

/** One check per window and metric. */
export async function checkBoards(
  client: ShopClient,
  expected: Expected,
  at: number,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const checks: Check[] = []
  for (const window of ['day', 'week'] as const) {
    const { changes, byQuantity, byAmount } = expected[window](at)
    for (const [metric, wanted] of [
      ['quantity', byQuantity],
      ['amount', byAmount],
    ] as const) {
      const path = `/v1/rankings/${window}?at=${at}&metric=${metric}&limit=${DEPTH}`
      const board = await boardAt(client, path, changes, signal)
      const difference = firstDifference(wanted, board.entries, metric)
      const detail = `${wanted.length} entries, revision ${board.revision} of ${changes}`
      const ok = difference === undefined && board.revision === changes
      checks.push(check(`${window} by ${metric} as recomputed`, ok, difference ?? detail))
    }
  }
  return checks
}

/** The board, once it has the revision, or as it is after a while. */
export async function boardAt(
  client: ShopClient,
  path: string,
  revision: number,
  signal: AbortSignal,
): Promise<{ revision: number; entries: readonly BoardEntry[] }> {
  const deadline = performance.now() + BOARD_TIMEOUT_MS
  for (;;) {
    const { status, body } = await client.get(path)
    const entries = (body['entries'] ?? []) as readonly BoardEntry[]
    const reached = Number(body['revision'] ?? 0)
    if ((status === 200 && reached >= revision) || performance.now() > deadline)
      return { revision: reached, entries }
    await sleep(LOOK_MS, undefined, { signal })
  }
}

function firstDifference(
  wanted: readonly ExpectedEntry[],
  found: readonly BoardEntry[],
  metric: 'quantity' | 'amount',
): string | undefined {
  if (wanted.length !== found.length) return `${found.length} entries in place of ${wanted.length}`
  for (const [index, want] of wanted.entries()) {
    const got = found[index] as BoardEntry
    const same =
      want.rank === got.rank &&
      want.productId === got.productId &&
      want.quantity === got.quantity &&
      want.amount === got.amount &&
      want[metric] === got.score
    if (!same) return `place ${index + 1} is ${JSON.stringify(got)} in place of ${JSON.stringify(want)}`
  }
  return undefined
}
