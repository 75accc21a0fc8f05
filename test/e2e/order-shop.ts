/** A shop that takes orders, in this process, and how a client speaks to it. */
import { expect, onTestFinished } from 'vitest'
import { Shop } from '../../cli/pipeline/shop.ts'
import { loadConfig } from '../../config/index.ts'
import { freshDirectory } from './command.ts'

export const WAIT = { timeout: 30_000, interval: 100 }

export interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Secrets among the settings go the way of secrets: through the environment. */
export async function openShop(
  settings: Readonly<Record<string, string>>,
  dataDir = freshDirectory(),
): Promise<Shop> {
  const { 'privacy.masterKeys': masterKeys, ...others } = settings
  const env = masterKeys === undefined ? {} : { MILLRACE_PRIVACY_MASTER_KEYS: masterKeys }
  const all = { dataDir, 'http.port': '0', 'logging.level': 'silent', ...others }
  const flags = Object.fromEntries(Object.entries(all).map(([key, text]) => [key, { text, flag: '--set' }]))
  const { config } = loadConfig({ env, cwd: '/', flags })
  const shop = await Shop.open({ config, version: '0', signal: new AbortController().signal })
  onTestFinished(() => shop.close())
  return shop
}

export async function call(
  shop: Pick<Shop, 'url'>,
  method: string,
  path: string,
  body?: object | string,
  key?: string,
): Promise<Reply> {
  const headers = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${shop.url}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: text }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** The order once it is in the state; says which one it has stopped in otherwise. */
export async function orderIn(shop: Shop, orderId: string, state: string): Promise<Record<string, unknown>> {
  const look = async () => (await call(shop, 'GET', `/v1/orders/${orderId}?wait=10s`)).body
  await expect.poll(look, WAIT).toMatchObject({ state })
  return look()
}
