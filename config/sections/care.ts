/** What keeps a shop from harm: limits on lag and dead letters, and who watches. */
import Type from 'typebox'
import { DAY_MS, SECOND_MS, limitOrNone, milliseconds, section } from './kinds.ts'

export const backpressure = Type.Object(
  {
    maxLagRecords: Type.Integer({
      minimum: 1,
      maximum: 1_000_000_000,
      default: 100_000,
      env: 'MILLRACE_MAX_LAG_RECORDS',
      description: 'Unprocessed records of a partition beyond which writes to its topic get 503.',
    }),
  },
  section,
)

export const deadLetters = Type.Object(
  {
    breaker: Type.Enum(['on', 'off'], {
      default: 'on',
      env: 'MILLRACE_DEAD_LETTERS_BREAKER',
      description:
        'Whether a task pauses when the last records of an input were mostly dead letters. `off` is said at the start and by `/readyz`.',
    }),
    windowRecords: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1_000,
      env: 'MILLRACE_DEAD_LETTERS_WINDOW_RECORDS',
      description: 'How many of the last records of an input count for that.',
    }),
    leastDeadLetters: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 100,
      env: 'MILLRACE_DEAD_LETTERS_LEAST_DEAD_LETTERS',
      description: 'Fewer dead letters among them are no flood.',
    }),
    percent: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 50,
      env: 'MILLRACE_DEAD_LETTERS_PERCENT',
      description: 'Share of dead letters among them from which they are a flood.',
    }),
    cooldownMs: limitOrNone(
      'MILLRACE_DEAD_LETTERS_COOLDOWN_MS',
      60 * SECOND_MS,
      'How long the task pauses; `unlimited`: until `millrace dlq resume`.',
    ),
  },
  section,
)

export const sentinel = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      env: 'MILLRACE_SENTINEL_ENABLED',
      description: 'Whether the invariants are checked live, on what the shop writes.',
    }),
    pauseCampaigns: Type.Boolean({
      default: false,
      env: 'MILLRACE_SENTINEL_PAUSE_CAMPAIGNS',
      description: 'Whether a campaign is paused as soon as an invariant is found broken for it.',
    }),
    watchOneIn: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 16,
      env: 'MILLRACE_SENTINEL_WATCH_ONE_IN',
      description:
        'Of users and requestIds one in so many is watched for I2, I4, I10 and I21; the other invariants are checked on everything.',
    }),
    resolveAfterMs: milliseconds(
      'MILLRACE_SENTINEL_RESOLVE_AFTER_MS',
      DAY_MS,
      'An incident that is not found again for so long is resolved.',
    ),
  },
  section,
)
