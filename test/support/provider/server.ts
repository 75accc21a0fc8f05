/**
 * A payment provider and a courier in one, over HTTP, as `docs/providers.md` wants them; it misbehaves on command.
 *
 * Its books are right whatever it says or does not say: each idempotency key comes to one thing, once.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Ask, type Behaviour, type Manner, wellBehaved } from './faults.ts'
import { type Booking, Ledger } from './ledger.ts'
import { type Hook, post, signature } from './webhooks.ts'

type Json = Record<string, unknown>
interface Said {
  readonly status: number
  readonly body: Json
}

/** How long slow answers and late webhooks take. */
const SLOW_MS = 1_500

export interface ProviderOptions extends Partial<Behaviour> {
  readonly token?: string
}

export class ProviderServer {
  readonly ledger = new Ledger()
  /** Every question, in the order in which they came. */
  readonly asked: Ask[] = []
  /** Statuses that webhooks were answered with. */
  readonly hooked: number[] = []
  behaviour: Behaviour
  /** Where news go. */
  hook: Hook | undefined
  readonly #server: Server
  readonly #token: string | undefined
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #posting = new Set<Promise<unknown>>()

  private constructor({ token, ...behaviour }: ProviderOptions) {
    this.behaviour = { ...wellBehaved, ...behaviour }
    this.#token = token
    this.#server = createServer((request, response) => void this.#take(request, response))
  }

  static async open(options: ProviderOptions = {}, port = 0): Promise<ProviderServer> {
    const provider = new ProviderServer(options)
    await new Promise<void>((resolve) => provider.#server.listen(port, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`
  }

  /** Of all that was asked, about this order. */
  askedOf(orderId: string): string[] {
    return this.asked.filter((ask) => ask.orderId === orderId).map(({ kind }) => kind)
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await Promise.allSettled(this.#posting)
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`) {
      return reply(response, { status: 401, body: {} })
    }
    const ask = this.#askOf(request, body)
    if (ask === undefined) return reply(response, { status: 404, body: {} })
    this.asked.push(ask)
    const fault = this.behaviour.fault(ask)
    if (fault === 'silent-before') return
    if (fault === 'drop-before') return void request.socket.destroy()
    if (fault === 'error-before') return reply(response, { status: 500, body: {} })
    if (fault === 'away') return reply(response, { status: 503, body: {} })
    if (fault === 'busy') return reply(response, { status: 429, body: {} }, { 'retry-after': '1' })
    const said = this.#do(ask, body)
    if (fault === 'silent-after') return
    if (fault === 'drop-after') return void request.socket.destroy()
    if (fault === 'error-after') return reply(response, { status: 502, body: {} })
    if (fault === 'garbage-after') return void response.end('<html>')
    if (fault === 'slow-after') return this.#later(() => reply(response, said))
    reply(response, said)
  }

  #later(run: () => void, ms = SLOW_MS): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  #askOf({ method, url = '', headers }: IncomingMessage, body: Json): Ask | undefined {
    const found = ROUTES.find((route) => route.method === method && route.path.test(url))
    if (found === undefined) return undefined
    const key = found.path.exec(url)?.[1] ?? String(headers['idempotency-key'])
    const { charges, shipments } = this.ledger
    const orderId = String(body['orderId'] ?? charges.get(key)?.orderId ?? shipments.get(key)?.orderId ?? '')
    const before = this.asked.filter((ask) => ask.kind === found.kind && ask.idempotencyKey === key)
    return { kind: found.kind, orderId, idempotencyKey: key, nth: before.length + 1 }
  }

  #do(ask: Ask, body: Json): Said {
    const { charges, shipments } = this.ledger
    const { idempotencyKey: key } = ask
    switch (ask.kind) {
      case 'charge':
        return this.#charge(ask, body)
      case 'refund':
        return this.#refund(ask, body)
      case 'ship':
        return this.#ship(ask, body)
      case 'cancel':
        return this.#cancel(ask)
      case 'lookup':
        return found(settled(charges, key))
      case 'look':
        return found(settled(shipments, key))
    }
  }

  #charge(ask: Ask, body: Json): Said {
    const { ledger } = this
    const { idempotencyKey, orderId } = ask
    const amount = Number(body['amount'])
    const again = ledger.charges.has(idempotencyKey)
    if (!again && Date.parse(String(body['deadline'])) <= Date.now()) {
      return { status: 422, body: { code: 'DEADLINE_PASSED' } }
    }
    const { refuse, surcharge = 0, pending = false } = this.behaviour.fate(ask)
    const charge = ledger.once(
      ledger.charges,
      idempotencyKey,
      (name) =>
        ({
          idempotencyKey,
          orderId,
          name,
          amount: amount + surcharge,
          currency: String(body['currency']),
          status: statusOf(refuse, pending),
          code: refuse,
        }) as Booking,
    )
    if (!again) this.#news('payments', charge, 'charge.updated')
    return found(again ? settled(ledger.charges, idempotencyKey) : charge)
  }

  #refund(ask: Ask, body: Json): Said {
    const { ledger } = this
    const { idempotencyKey, orderId } = ask
    const [amount, of] = [Number(body['amount']), String(body['paymentKey'])]
    const again = ledger.refunds.has(idempotencyKey)
    const { refuse } = this.behaviour.fate(ask)
    const exceeds = !again && ledger.left(of) < amount ? 'EXCEEDS_PAID' : undefined
    const code = refuse ?? exceeds
    const refund = ledger.once(ledger.refunds, idempotencyKey, (name) => ({
      idempotencyKey,
      orderId,
      name,
      amount,
      currency: String(body['currency']),
      status: code === undefined ? 'SUCCEEDED' : 'FAILED',
      code,
      refundId: String(body['refundId']),
      of,
    }))
    if (!again) this.#news('payments', refund, 'refund.updated')
    return found(refund)
  }

  #ship(ask: Ask, body: Json): Said {
    const { ledger } = this
    const { idempotencyKey, orderId } = ask
    ledger.addresses.set(orderId, body['shipTo'])
    const again = ledger.shipments.has(idempotencyKey)
    const { refuse, pending = false } = this.behaviour.fate(ask)
    const status = refuse === undefined ? (pending ? 'ACCEPTED' : 'STARTED') : 'FAILED'
    const shipment = ledger.once(ledger.shipments, idempotencyKey, (name) => {
      return { idempotencyKey, orderId, name, amount: 0, currency: '', status, code: refuse }
    })
    if (!again) this.#news('deliveries', shipment, 'shipment.updated')
    return found(shipment)
  }

  /** A key that was never seen is closed: what comes under it later is not sent. */
  #cancel({ idempotencyKey, orderId }: Ask): Said {
    const { shipments } = this.ledger
    const before = shipments.get(idempotencyKey)
    if (before?.status === 'STARTED' || before?.status === 'DELIVERED') {
      return { status: 200, body: { status: 'TOO_LATE', deliveryId: before.name } }
    }
    const empty = { name: 'closed', amount: 0, currency: '', code: undefined }
    const closed = { ...(before ?? { ...empty, idempotencyKey, orderId }), status: 'CANCELLED' }
    shipments.set(idempotencyKey, closed)
    return { status: 200, body: { status: 'CANCELLED', deliveryId: before?.name ?? null } }
  }

  /** Sends news as the order's manner is. */
  #news(to: 'payments' | 'deliveries', booking: Booking, type: string): void {
    const sending = this.#tell(to, booking, type).finally(() => this.#posting.delete(sending))
    this.#posting.add(sending)
  }

  async #tell(to: 'payments' | 'deliveries', booking: Booking, type: string): Promise<void> {
    const { hook } = this
    const manner = this.behaviour.manner(booking.orderId)
    if (hook === undefined || manner === 'none') return
    const bodies = this.#bodies(booking, type, manner)
    const path = `/v1/webhooks/${to}`
    if (manner === 'late') return this.#later(() => void this.#post(hook, path, bodies[0] ?? ''))
    for (const body of bodies) await this.#post(hook, path, body)
    if (manner !== 'forged') return
    // The truth comes as well, for whoever asks.
    const lie = JSON.stringify({ ...(JSON.parse(bodies[0] ?? '{}') as Json), status: 'FAILED' })
    await this.#post(hook, path, lie, signature('not the secret at all', lie))
  }

  #bodies(booking: Booking, type: string, manner: Manner): string[] {
    const event = (id: number, status: string) =>
      JSON.stringify({ ...eventOf(booking, type), status, eventId: `${booking.name}-${id}` })
    const truth = event(1, booking.status)
    if (manner === 'twice') return [truth, event(2, booking.status)]
    if (manner === 'replayed') return [truth, truth, truth]
    // What was before comes after what is now.
    if (manner === 'reordered') return [truth, event(0, type === 'shipment.updated' ? 'ACCEPTED' : 'PENDING')]
    return [truth]
  }

  async #post(hook: Hook, path: string, body: string, signed?: string): Promise<void> {
    this.hooked.push(await post(hook, path, body, signed))
  }
}

const ROUTES: readonly { readonly kind: Ask['kind']; readonly method: string; readonly path: RegExp }[] = [
  { kind: 'charge', method: 'POST', path: /^\/api\/charges$/ },
  { kind: 'lookup', method: 'GET', path: /^\/api\/charges\/([0-9a-f]+)$/ },
  { kind: 'refund', method: 'POST', path: /^\/api\/refunds$/ },
  { kind: 'ship', method: 'POST', path: /^\/api\/shipments$/ },
  { kind: 'look', method: 'GET', path: /^\/api\/shipments\/([0-9a-f]+)$/ },
  { kind: 'cancel', method: 'POST', path: /^\/api\/shipments\/([0-9a-f]+)\/cancel$/ },
]

function statusOf(refuse: string | undefined, pending: boolean): string {
  if (refuse !== undefined) return 'FAILED'
  return pending ? 'PENDING' : 'SUCCEEDED'
}

/** What was pending has come to its end by the time that somebody asks again. */
function settled(book: Map<string, Booking>, key: string): Booking | undefined {
  const booking = book.get(key)
  const status = booking === undefined ? undefined : ENDS[booking.status]
  if (booking === undefined || status === undefined) return booking
  const after = { ...booking, status }
  book.set(key, after)
  return after
}

const ENDS: Readonly<Record<string, string>> = { PENDING: 'SUCCEEDED', ACCEPTED: 'STARTED' }

function eventOf(booking: Booking, type: string): Json {
  const { orderId, idempotencyKey, name, amount, currency, code, refundId, of } = booking
  const common = { type, orderId, idempotencyKey, ...(code !== undefined && { code }) }
  if (type === 'shipment.updated') return { ...common, deliveryId: name }
  return { ...common, paymentKey: of ?? name, amount, currency, ...(refundId !== undefined && { refundId }) }
}

function found(booking: Booking | undefined): Said {
  if (booking === undefined) return { status: 404, body: { code: 'UNKNOWN_KEY' } }
  const { name, amount, currency, status, code } = booking
  const names = { paymentKey: name, deliveryId: name }
  return { status: 200, body: { ...names, amount, currency, status, ...(code !== undefined && { code }) } }
}

async function bodyOf(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Json)
}

function reply(response: ServerResponse, { status, body }: Said, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
