/** What the shop is, and how it ranks. */
import Type from 'typebox'
import { DAY_MS, HOUR_MS, limitOrNone, milliseconds, section } from './kinds.ts'

export const shop = Type.Object(
  {
    currency: Type.String({
      pattern: '^[A-Z]{3}$',
      expected: 'three capital letters',
      default: 'GBP',
      env: 'MILLRACE_CURRENCY',
      description: 'ISO 4217 code of all amounts; another currency is rejected.',
    }),
    timeZone: Type.String({
      minLength: 1,
      default: 'UTC',
      env: 'MILLRACE_TIME_ZONE',
      description:
        'IANA zone in which days and weeks begin. A data directory with boards of another zone is refused.',
    }),
  },
  section,
)

export const ranking = Type.Object(
  {
    closing: Type.Enum(['streamTime', 'wallClock'], {
      default: 'wallClock',
      env: 'MILLRACE_RANKING_CLOSING',
      description: 'What closes a window: events alone, or the clock as well when none come.',
    }),
    graceMs: milliseconds(
      'MILLRACE_RANKING_GRACE_MS',
      HOUR_MS,
      'How long after its end a window stays open for what comes late.',
      0,
    ),
    retentionMs: limitOrNone(
      'MILLRACE_RANKING_RETENTION_MS',
      400 * DAY_MS,
      'How long a window can be read and corrected, in the time of the orders; or `unlimited`.',
    ),
  },
  section,
)
