/** Signed webhooks, as a provider sends them. */
import { createHmac } from 'node:crypto'

export interface Hook {
  /** `http://host:port` of the shop. */
  readonly url: string
  readonly secret: string
}

/** `t=…,v1=…` over `timestamp.body`; @param at epoch milliseconds */
export function signature(secret: string, body: string, at = Date.now()): string {
  const seconds = Math.floor(at / 1_000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

/** Resolves to the status; 0 where nobody answered. */
export async function post(hook: Hook, path: string, body: string, signed = signature(hook.secret, body)) {
  const headers = { 'content-type': 'application/json', 'millrace-signature': signed }
  try {
    const response = await fetch(`${hook.url}${path}`, { method: 'POST', headers, body })
    await response.arrayBuffer()
    return response.status
  } catch {
    return 0
  }
}
