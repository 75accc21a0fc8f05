/** Metrics and log lines. */
import Type from 'typebox'
import { section } from './kinds.ts'

export const metrics = Type.Object(
  {
    maxCampaigns: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 100,
      env: 'MILLRACE_METRICS_MAX_CAMPAIGNS',
      description: 'Campaigns with series of their own; the rest is counted as `other`.',
    }),
  },
  section,
)

export const logging = Type.Object(
  {
    level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      default: 'info',
      env: 'MILLRACE_LOG_LEVEL',
      description: 'Least severe line that is written to stderr.',
    }),
    format: Type.Enum(['auto', 'json', 'text'], {
      default: 'auto',
      env: 'MILLRACE_LOG_FORMAT',
      description: 'One JSON object per line, or text for people; `auto` is text on a terminal.',
    }),
  },
  section,
)
