/** The metrics and log lines of one process, ready to be plugged into engine, log and HTTP. */
import type { Logger } from 'pino'
import type { StreamsHooks } from '../streams/index.ts'
import { BoundedLabel } from './bounded-label.ts'
import { type ConnectorTelling, connectorHooks } from './connector-hooks.ts'
import { engineHooks } from './engine-hooks.ts'
import { type IncidentKind, IncidentLog } from './incidents.ts'
import { Instruments } from './instruments.ts'
import type { Probes } from './probes.ts'
import { Scrape } from './scrape.ts'

const MS_PER_SECOND = 1000
/** A batch that takes longer means that the disk stalls. */
const SLOW_BATCH_MS = 250
/** Route templates are the program's own; this only guards against a mistake. */
const MAX_ROUTES = 200
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** What the log tells of a batch. */
export interface LogBatch {
  readonly records: number
  readonly bytes: number
  readonly ms: number
}

export interface HttpAnswer {
  /** The route's template; nothing when no route matched. */
  readonly route: string | undefined
  readonly method: string
  readonly status: number
  readonly ms: number
}

export interface TelemetryOptions {
  readonly logger: Logger
  readonly version: string
  /** Campaigns with series of their own. */
  readonly maxCampaigns: number
}

export class Telemetry {
  readonly logger: Logger
  readonly engine: StreamsHooks
  readonly connectors: ConnectorTelling
  readonly log: { onBatch(batch: LogBatch): void; onFault(error: Error): void }
  readonly #instruments = new Instruments()
  readonly #incidents: IncidentLog
  readonly #scrape: Scrape
  readonly #routes = new BoundedLabel(MAX_ROUTES)

  constructor({ logger, version, maxCampaigns }: TelemetryOptions) {
    const instruments = this.#instruments
    this.logger = logger
    this.#incidents = new IncidentLog(logger, instruments.counter('millrace_incidents_total'))
    this.#scrape = new Scrape(instruments, maxCampaigns, (error) => {
      this.#incidents.often('scrape-incomplete', '', {
        reason: error instanceof Error ? error.message : String(error),
      })
    })
    this.engine = engineHooks(instruments, this.#incidents)
    this.connectors = connectorHooks(instruments, this.#incidents)
    this.log = this.#logHooks()
    instruments.gauge('millrace_build_info').set({ version, node_version: process.versions.node }, 1)
  }

  /** The system to ask at each scrape; nothing ends it, for example before it closes. */
  watch(probes: Probes | undefined): void {
    this.#scrape.watch(probes)
  }

  onHttpAnswer({ route, method, status, ms }: HttpAnswer): void {
    const labels = {
      route: route === undefined ? 'unmatched' : this.#routes.of(route),
      method: METHODS.has(method) ? method : 'other',
    }
    this.#instruments.counter('millrace_http_requests_total').inc({ ...labels, status: String(status) })
    this.#instruments.histogram('millrace_http_request_duration_seconds').observe(labels, ms / MS_PER_SECOND)
  }

  /** A write to `topic` was refused because its tasks are too far behind. */
  onBackpressure(topic: string): void {
    this.#instruments.counter('millrace_http_backpressure_total').inc({ topic })
  }

  incident(kind: IncidentKind, fields: Readonly<Record<string, unknown>>): void {
    this.#incidents.raise(kind, fields)
  }

  get contentType(): string {
    return this.#instruments.registry.contentType
  }

  /** All metrics in Prometheus' text format. */
  async metrics(): Promise<string> {
    await this.#scrape.refresh()
    return this.#instruments.registry.metrics()
  }

  #logHooks(): Telemetry['log'] {
    const batches = this.#instruments.counter('millrace_log_batches_total')
    const records = this.#instruments.counter('millrace_log_batch_records_total')
    const bytes = this.#instruments.counter('millrace_log_written_bytes_total')
    const times = this.#instruments.histogram('millrace_log_batch_duration_seconds')
    const faults = this.#instruments.counter('millrace_log_faults_total')
    return {
      onBatch: (batch) => {
        batches.inc()
        records.inc(batch.records)
        bytes.inc(batch.bytes)
        times.observe(batch.ms / MS_PER_SECOND)
        if (batch.ms > SLOW_BATCH_MS) this.#incidents.often('slow-batch', '', { ...batch })
      },
      onFault: (error) => {
        faults.inc()
        this.#incidents.raise('log-fault', { cause: error })
      },
    }
  }
}
