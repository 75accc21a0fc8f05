/**
 * A whole shop on its embedded log whose payment provider and courier are over HTTP and misbehave: at the end the
 * provider's books and the shop's orders say the same about money (I16, I17, I19, I20).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ProviderServer } from '../support/provider/server.ts'
import { freshDirectory, type Shop, startShopWith } from './command.ts'
import { allSettled, misbehaving, placeAll } from './provider-orders.ts'

const SECRET = 'provider-and-shop-share-this'
const TOKEN = 'the-token-of-the-shop'

/** Impatient: what takes minutes in a shop takes moments here. */
const PROVIDER = { timeoutMs: 400, backoffMs: 50, maxBackoffMs: 400 }
const config = (url: string) => ({
  shop: { currency: 'EUR' },
  sentinel: { enabled: true, watchOneIn: 1 },
  payments: { url, ...PROVIDER, graceMs: 300 },
  deliveries: { url, ...PROVIDER, lookMs: 200, maxLookMs: 400 },
  orders: { payByMs: 30_000, stepTimeoutMs: 2_000, couponWaitMs: 100, stepAttempts: 100, maxBackoffMs: 500 },
})
const env = {
  MILLRACE_PAYMENTS_TOKEN: TOKEN,
  MILLRACE_DELIVERIES_TOKEN: TOKEN,
  MILLRACE_PAYMENTS_WEBHOOK_SECRETS: SECRET,
  MILLRACE_DELIVERIES_WEBHOOK_SECRETS: `the-one-that-was-before,${SECRET}`,
}

class Place {
  readonly dataDir = freshDirectory()
  readonly provider: ProviderServer
  #shop: Shop | undefined

  private constructor(provider: ProviderServer) {
    this.provider = provider
  }

  static async open(): Promise<Place> {
    const provider = await ProviderServer.open({ ...misbehaving, token: TOKEN })
    onTestFinished(() => provider.close())
    return new Place(provider)
  }

  get shop(): Shop {
    if (this.#shop === undefined) throw new Error('there is no shop')
    return this.#shop
  }

  async start(): Promise<void> {
    const file = join(freshDirectory(), 'millrace.json')
    writeFileSync(file, JSON.stringify(config(this.provider.url)))
    const shop = await startShopWith(env, this.dataDir, '--config', file)
    this.#shop = shop
    this.provider.hook = { url: shop.url, secret: SECRET }
  }

  async kill(): Promise<void> {
    this.shop.kill('SIGKILL')
    await this.shop.finished
  }

  /** Of the directory's files, those in which the text stands. */
  filesWith(text: string): string[] {
    const files = readdirSync(this.dataDir, { recursive: true, withFileTypes: true })
    return files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => readFileSync(path).includes(text))
  }
}

interface Found {
  readonly invariant: string
  readonly status: string
}

async function incidents(url: string): Promise<readonly Found[]> {
  const response = await fetch(`${url}/v1/ops/incidents`)
  return ((await response.json()) as { readonly incidents: readonly Found[] }).incidents
}

test('I16 I17 I19 I20 the provider has what the orders say, whatever it did and did not say', async () => {
  const place = await Place.open()
  await place.start()
  await placeAll(() => place.shop, place.provider)
  await allSettled(() => place.shop, place.provider)
  const { provider, shop } = place
  // Forged news were refused, all others taken.
  expect(new Set(provider.hooked)).toEqual(new Set([202, 401]))
  // The sentinel found nothing, and the incidents of stray payments are over.
  const open = async () => (await incidents(shop.url)).filter(({ status }) => status === 'OPEN')
  await expect.poll(open).toEqual([])
  const found = (await incidents(shop.url)).map(({ invariant }) => invariant)
  expect(new Set(found)).toEqual(new Set(['ORDER_STRAY_PAYMENT']))
  await place.kill()
  expect(place.filesWith('Ann Example')).toEqual([])
  expect(place.filesWith(TOKEN)).toEqual([])
})

test('the same under kill -9', { timeout: 240_000 }, async () => {
  const place = await Place.open()
  await place.start()
  const placing = placeAll(() => place.shop, place.provider)
  for (const questions of [40, 120]) {
    await expect
      .poll(() => place.provider.asked.length, { timeout: 60_000, interval: 5 })
      .toBeGreaterThan(questions)
    await place.kill()
    await place.start()
  }
  await placing
  await allSettled(() => place.shop, place.provider)
  const found = (await incidents(place.shop.url)).map(({ invariant }) => invariant)
  expect(found.filter((one) => one !== 'ORDER_STRAY_PAYMENT')).toEqual([])
})
