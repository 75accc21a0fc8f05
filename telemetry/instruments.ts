/** Makes the metrics that `names.ts` lists, with one typed accessor for each. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { counters, gauges, histograms, type MetricSpec } from './names.ts'

export type CounterName = keyof typeof counters
export type GaugeName = keyof typeof gauges
export type HistogramName = keyof typeof histograms

/**
 * Gauges of prom-client whose names end in `_total`, against the conventions; each also comes without it, as
 * `nodejs_active_handles` and so on.
 */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

export class Instruments {
  readonly registry = new Registry()
  readonly #counters: Readonly<Record<CounterName, Counter>>
  readonly #gauges: Readonly<Record<GaugeName, Gauge>>
  readonly #histograms: Readonly<Record<HistogramName, Histogram>>

  constructor() {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    for (const name of MISNAMED) this.registry.removeSingleMetric(name)
    this.#counters = each(counters, (name, { help, labels }) => {
      return new Counter({ name, help, labelNames: [...labels], registers })
    })
    this.#gauges = each(gauges, (name, { help, labels }) => {
      return new Gauge({ name, help, labelNames: [...labels], registers })
    })
    this.#histograms = each(histograms, (name, { help, labels, buckets = [] }) => {
      return new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers })
    })
  }

  counter(name: CounterName): Counter {
    return this.#counters[name]
  }

  gauge(name: GaugeName): Gauge {
    return this.#gauges[name]
  }

  histogram(name: HistogramName): Histogram {
    return this.#histograms[name]
  }
}

function each<N extends string, M>(
  specs: Readonly<Record<N, MetricSpec>>,
  make: (name: N, spec: MetricSpec) => M,
): Record<N, M> {
  const entries = Object.entries<MetricSpec>(specs).map(([name, spec]) => [name, make(name as N, spec)])
  return Object.fromEntries(entries) as Record<N, M>
}
