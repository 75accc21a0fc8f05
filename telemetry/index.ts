/** Metrics and log lines; health is what the API asks of the pipeline itself. */
export { type IncidentKind, incidentKinds } from './incidents.ts'
export { createLogger, type LoggerOptions } from './logger.ts'
export { counters, gauges, histograms, type MetricSpec } from './names.ts'
export type {
  CampaignFacts,
  ConnectorFacts,
  InvariantFacts,
  LogFacts,
  OrderIncidentFacts,
  Probes,
  StandbyLag,
  StateFacts,
  StoreSize,
  TaskClock,
  TaskLag,
} from './probes.ts'
export { type HttpAnswer, type LogBatch, Telemetry, type TelemetryOptions } from './telemetry.ts'
