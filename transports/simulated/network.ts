/**
 * The network of the simulated world: connections between processes and brokers, and what happens to requests on their
 * way.
 *
 * A connection keeps order and a broker answers one request of it after the other, as with TCP; what breaks a connection
 * loses everything on it, or delivers some of it late. What arrives twice is only what the protocol must bear twice.
 *
 * Not its job: what a request does (`brokers/`).
 */
import { type BrokerConnections, ClusterError, type KafkaRequest, type Network } from '../kafka/wire/index.ts'
import type { BrokerModel } from './brokers/model.ts'
import type { Faults } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'

const REQUEST_TIMEOUT_MS = 8_000
const CONNECT_TIMEOUT_MS = 2_000
const LATENCY_MS = { least: 0.2, most: 3 }
const SLOW_MS = 1_000
const LATE_MS = 20_000
/** Of single requests. */
const CHANCE = { lost: 0.01, reply: 0.01, late: 0.01, doubled: 0.03, slow: 0.03 }

export interface NetworkOptions {
  readonly model: BrokerModel
  readonly faults: Faults
  readonly random: Random
  /** Takes lines for the event log. */
  readonly note: (line: string) => void
}

/** All connections of the world. */
export class SimulatedWires {
  readonly options: NetworkOptions
  readonly #links = new Set<SimulatedLink>()
  /** `<process> <node>`: what does not get through. */
  readonly #cuts = new Map<string, 'both' | 'answers'>()

  constructor(options: NetworkOptions) {
    this.options = options
  }

  network(process: SimulatedProcess): Network {
    return {
      clock: process.clock,
      connections: (purpose) => new SimulatedConnections(this, process, purpose),
    }
  }

  open(process: SimulatedProcess, node: number): SimulatedLink {
    const link = new SimulatedLink(this, process, node, () => this.#links.delete(link))
    this.#links.add(link)
    return link
  }

  /** The broker went down, or its machine did. */
  breakNode(node: number): void {
    for (const link of this.#links) if (link.node === node) link.break(`broker ${node} is gone`)
  }

  cut(process: string, node: number, what: 'both' | 'answers'): void {
    this.#cuts.set(`${process} ${node}`, what)
  }

  mend(process: string, node: number): void {
    this.#cuts.delete(`${process} ${node}`)
  }

  cutBetween({ name }: SimulatedProcess, node: number): 'both' | 'answers' | undefined {
    return this.#cuts.get(`${name} ${node}`)
  }

  latency(): number {
    const { faults, random } = this.options
    const slow = faults.strikes('slow-network', CHANCE.slow)
      ? faults.random('slow-network').next() * SLOW_MS
      : 0
    return LATENCY_MS.least + random.next() * (LATENCY_MS.most - LATENCY_MS.least) + slow
  }
}

class SimulatedConnections implements BrokerConnections {
  readonly #wires: SimulatedWires
  readonly #process: SimulatedProcess
  readonly #purpose: string
  readonly #known = new Set<number>()
  readonly #links = new Map<number, SimulatedLink>()
  #turn = 0
  #isClosed = false

  constructor(wires: SimulatedWires, process: SimulatedProcess, purpose: string) {
    this.#wires = wires
    this.#process = process
    this.#purpose = purpose
  }

  send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    if (!this.#known.has(node)) {
      return Promise.reject(new ClusterError('CONNECTION_FAILED', `broker ${node} is not known`))
    }
    return this.#send(node, request)
  }

  async sendToAny<R>(request: KafkaRequest<R>): Promise<R> {
    const nodes = this.#wires.options.model.nodes
    const turn = this.#turn++ % nodes.length
    let last: unknown
    for (const node of [...nodes.slice(turn), ...nodes.slice(0, turn)]) {
      try {
        return await this.#send(node, request)
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  know(brokers: readonly { readonly nodeId: number }[]): void {
    for (const { nodeId } of brokers) this.#known.add(nodeId)
  }

  close(): Promise<void> {
    this.#isClosed = true
    for (const link of this.#links.values()) link.break('closed by this side')
    this.#links.clear()
    return Promise.resolve()
  }

  #send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    if (this.#isClosed) return Promise.reject(new ClusterError('CONNECTION_FAILED', 'closed'))
    let link = this.#links.get(node)
    if (link?.isAlive !== true) this.#links.set(node, (link = this.#wires.open(this.#process, node)))
    return link.send(request, this.#purpose)
  }
}

interface Sent {
  readonly request: KafkaRequest<unknown>
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
  readonly cancelTimeout: () => void
  readonly onBroken: (() => void)[]
}

class SimulatedLink {
  readonly node: number
  readonly #wires: SimulatedWires
  readonly #process: SimulatedProcess
  readonly #forget: () => void
  readonly #forgetKill: () => void
  /** Sent and not answered. */
  readonly #sent = new Set<Sent>()
  /** At the broker, waiting for the one before. */
  readonly #arrived: (() => void)[] = []
  #isBusy = false
  isAlive = true
  #lastArrival = 0
  #lastAnswer = 0
  #isConnected = false

  constructor(wires: SimulatedWires, process: SimulatedProcess, node: number, forget: () => void) {
    this.#wires = wires
    this.#process = process
    this.node = node
    this.#forget = forget
    this.#forgetKill = process.onKill(() => this.#end())
  }

  send<R>(request: KafkaRequest<R>, purpose: string): Promise<R> {
    const { model, note } = this.#wires.options
    const cut = this.#wires.cutBetween(this.#process, this.node)
    if (!this.#isConnected && (!model.isUp(this.node) || cut !== undefined)) {
      return this.#unreachable(
        cut === undefined ? this.#wires.latency() : CONNECT_TIMEOUT_MS,
        request.apiName,
      )
    }
    this.#isConnected = true
    return new Promise((resolve, reject) => {
      const limit = request.timeoutMs ?? REQUEST_TIMEOUT_MS
      const cancelTimeout = this.#process.later(limit, () => this.break(`no answer to ${request.apiName}`))
      const sent: Sent = { request, resolve, reject, cancelTimeout, onBroken: [] }
      this.#sent.add(sent)
      if (cut === 'both')
        return note(`${this.#process.name} → ${this.node}: ${request.apiName} (${purpose}) gets nowhere`)
      this.#transmit(sent, purpose)
    })
  }

  #unreachable<R>(ms: number, api: string): Promise<R> {
    return new Promise((_resolve, reject) => {
      this.#process.later(ms, () => {
        this.#end()
        reject(new ClusterError('CONNECTION_FAILED', `${api}: broker ${this.node} cannot be reached`))
      })
    })
  }

  #transmit(sent: Sent, purpose: string): void {
    const { model, faults, note } = this.#wires.options
    const { scheduler } = model
    const { request } = sent
    const name = `${this.#process.name} → ${this.node}: ${request.apiName} (${purpose})`
    const body = request.encode()
    if (faults.strikes('lost-request', CHANCE.lost)) {
      note(`${name} is lost`)
      this.#breakSoon(name)
      return
    }
    if (faults.strikes('late-request', CHANCE.late)) {
      const ms = 10 + faults.random('late-request').next() ** 2 * LATE_MS
      note(`${name} comes late, by ${Math.round(ms)} ms`)
      scheduler.plan(ms, () => this.#carryOutAlone(sent, body, name, 'late'))
      this.#breakSoon(name)
      return
    }
    if (
      mayComeTwice(request, model.transactionVersion) &&
      faults.strikes('doubled-request', CHANCE.doubled)
    ) {
      const ms = faults.random('doubled-request').next() ** 2 * LATE_MS
      note(`${name} comes again after ${Math.round(ms)} ms`)
      scheduler.plan(ms, () => this.#carryOutAlone(sent, body, name, 'again'))
    }
    const isReplyLost = faults.strikes('lost-reply', CHANCE.reply)
    const at = (this.#lastArrival = Math.max(this.#lastArrival, scheduler.now + this.#wires.latency()))
    scheduler.plan(at - scheduler.now, () => {
      // What a process sent before it was killed still arrives.
      if (!this.isAlive && this.#process.isAlive) return
      this.#arrived.push(() => this.#carryOut(sent, body, name, isReplyLost))
      this.#next()
    })
  }

  /** Not on its connection any more. */
  #carryOutAlone({ request }: Sent, body: Buffer, name: string, how: string): void {
    const { apiName, apiVersion } = request
    const { model, note } = this.#wires.options
    if (!model.isUp(this.node)) return
    note(`${name} arrives ${how}`)
    model.arrive({ node: this.node, apiName, apiVersion, body, answer: () => {}, onBroken: (run) => run() })
  }

  #next(): void {
    if (this.#isBusy) return
    const carryOut = this.#arrived.shift()
    if (carryOut === undefined) return
    this.#isBusy = true
    carryOut()
  }

  #carryOut(sent: Sent, body: Buffer, name: string, isReplyLost: boolean): void {
    const { model, note } = this.#wires.options
    const { apiName, apiVersion } = sent.request
    let isAnswered = false
    const answer = (value: unknown): void => {
      if (isAnswered) return
      isAnswered = true
      this.#isBusy = false
      if (isReplyLost || this.#wires.cutBetween(this.#process, this.node) !== undefined) {
        note(`${name} is carried out, the answer is lost`)
        if (isReplyLost) this.#breakSoon(name)
      } else this.#reply(sent, value)
      this.#next()
    }
    const onBroken = (run: () => void): void => {
      if (this.isAlive) sent.onBroken.push(run)
      else run()
    }
    model.arrive({ node: this.node, apiName, apiVersion, body, answer, onBroken })
  }

  #reply(sent: Sent, answer: unknown): void {
    const { now } = this.#wires.options.model.scheduler
    const at = (this.#lastAnswer = Math.max(this.#lastAnswer, now + this.#wires.latency()))
    this.#process.later(at - now, () => {
      if (!this.#sent.delete(sent)) return
      sent.cancelTimeout()
      sent.resolve(answer as never)
    })
  }

  #breakSoon(why: string): void {
    this.#process.later(this.#wires.latency(), () => this.break(why))
  }

  /** Whatever is on its way is of unknown outcome. */
  break(why: string): void {
    if (!this.isAlive) return
    const sent = [...this.#sent]
    this.#end()
    for (const { reject, request } of sent) {
      this.#process.later(0, () => reject(new ClusterError('OUTCOME_UNKNOWN', `${request.apiName}: ${why}`)))
    }
  }

  #end(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.#forget()
    this.#forgetKill()
    for (const { onBroken, cancelTimeout } of this.#sent) {
      cancelTimeout()
      for (const run of onBroken) run()
    }
    this.#sent.clear()
  }
}

/**
 * With the older transactions, a repeated request of one transaction may get into the next, which nothing at the client
 * can keep from happening; a repeated JoinGroup or InitProducerId is another process to the broker.
 */
function mayComeTwice({ apiName }: KafkaRequest<unknown>, transactionVersion: number): boolean {
  if (apiName === 'Produce') return true
  return transactionVersion >= 2 && (apiName === 'EndTxn' || apiName === 'TxnOffsetCommit')
}
