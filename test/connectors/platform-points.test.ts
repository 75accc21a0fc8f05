/** Points through the whole shop, with PostgreSQL behind it: what the table adds up to is what the service says. */
import type pg from 'pg'
import { expect, test } from 'vitest'
import { freshDirectory, getJson, run, type Shop, startShopWith, stop } from '../e2e/command.ts'
import { call } from '../e2e/order-shop.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { testClient, testDatabase } from '../support/postgres/database.ts'

const TERM_MS = 4_000

interface Entry {
  readonly kind: string
  readonly points: number
  readonly balance: number
  readonly reference: string
}

interface Account {
  readonly balance: number
  /** Newest first. */
  readonly items: readonly Entry[]
}

/** Two mugs for 40 points and money, one of them brought back; and a grant whose time runs out meanwhile. */
async function trade(shop: Shop): Promise<void> {
  const { url } = shop
  await call({ url }, 'PUT', '/v1/products/mug', { title: 'Mug', price: 300, received: 10 })
  await call({ url }, 'POST', '/v1/users/ann/points', { points: 500 }, 'first')
  const expiresAt = new Date(Date.now() + TERM_MS).toISOString()
  await call({ url }, 'POST', '/v1/users/ann/points', { points: 30, expiresAt }, 'short')
  await call({ url }, 'POST', '/v1/users/bob/points', { points: 50 }, 'bob')
  await call({ url }, 'POST', '/v1/users/bob/points', { points: -20 }, 'back')
  const items = [{ productId: 'mug', quantity: 2 }]
  const placed = await call({ url }, 'POST', '/v1/orders', { userId: 'ann', items, pointsToUse: 40 })
  const order = `/v1/orders/${String(placed.body['orderId'])}`
  await eventually(async () => (await getJson(`${url}${order}?wait=10s`))['state'] === 'COMPLETED')
  const back = { returnId: 'r-1', items: [{ lineNo: 1, quantity: 1 }] }
  expect(await call({ url }, 'POST', `${order}/returns`, back)).toMatchObject({ status: 202 })
}

async function storedEntries(client: pg.Client, userId: string): Promise<readonly Entry[]> {
  const { rows: tables } = await client.query(`SELECT 1 FROM pg_tables WHERE tablename = 'point_entry'`)
  if (tables.length === 0) return []
  const { rows } = await client.query<Entry>(
    `SELECT kind, points::int, balance_after::int AS balance, reference
     FROM point_entry WHERE user_id = $1 ORDER BY entry DESC`,
    [userId],
  )
  return rows
}

async function accountOf({ url }: Shop, userId: string): Promise<Account> {
  return (await getJson(`${url}/v1/users/${userId}/points?limit=50`)) as unknown as Account
}

test('I13: points of the table are the ledger, and add up to what users have', {
  timeout: 300_000,
}, async () => {
  const url = await testDatabase()
  const client = await testClient(url)
  const dataDir = freshDirectory()
  const env = {
    MILLRACE_DATA_PLATFORM_TARGET: 'postgres',
    MILLRACE_DATA_PLATFORM_URL: url,
    MILLRACE_POINTS_RATE_BP: '1000',
  }
  const shop = await startShopWith(env, dataDir)
  await trade(shop)

  const wanted = ['CLAWED_BACK', 'EARNED', 'EXPIRED', 'GRANTED', 'RESTORED', 'SPENT']
  const ann = await eventually(
    async () => {
      const account = await accountOf(shop, 'ann')
      const kinds = new Set(account.items.map(({ kind }) => kind))
      const stored = await storedEntries(client, 'ann')
      return wanted.every((kind) => kinds.has(kind)) && stored.length === account.items.length && account
    },
    { timeoutMs: 120_000, describe: 'every kind of entry in the table' },
  )
  const bob = await accountOf(shop, 'bob')
  for (const [userId, { balance, items }] of Object.entries({ ann, bob })) {
    const stored = await storedEntries(client, userId)
    expect(stored).toEqual(
      items.map(({ kind, points, balance: after, reference }) => ({
        kind,
        points,
        balance: after,
        reference,
      })),
    )
    expect(stored.reduce((sum, { points }) => sum + points, 0)).toBe(balance)
  }
  expect(bob.items.map(({ kind }) => kind)).toEqual(['TAKEN', 'GRANTED'])
  const { rows } = await client.query(`SELECT return_id FROM point_entry WHERE kind = 'CLAWED_BACK'`)
  expect(rows).toEqual([{ return_id: 'r-1' }])
  await stop(shop)

  const command = (...args: readonly string[]) => run([...args, '--data-dir', dataDir], env)
  expect(await command('data-platform', 'reconcile')).toMatchObject({ code: 0, stderr: '' })
  await client.query(`UPDATE point_entry SET points = points + 1 WHERE kind = 'EARNED'`)
  const wrong = await command('data-platform', 'reconcile')
  expect(wrong.code).toBe(3)
  expect(wrong.stdout).toMatch(/point_entry .* EARNED /)
  expect(wrong.stdout).toContain('points do not add up: ann')
})
