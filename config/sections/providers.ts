/** Payment provider and courier over HTTP. */
import Type from 'typebox'
import { HOUR_MS, MINUTE_MS, milliseconds, secret, SECOND_MS, section } from './kinds.ts'

const SECRET = '[\\x21-\\x2b\\x2d-\\x7e]{16,512}'

/** What both have. `env` begins their variables. */
function providerKeys(env: string, who: string, what: string) {
  return {
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[A-Za-z0-9.\\[\\]:_-]+(?:/[A-Za-z0-9._~/-]*)?$',
        maxLength: 2048,
        expected: 'https://host/path',
        env: `${env}_URL`,
        description: `Where the ${who} is asked for ${what}, by the contract of docs/providers.md. Where there is none, \`orders.sandboxes\` says who plays it. \`http\` to a loopback address only.`,
      }),
    ),
    token: secret(`${env}_TOKEN`, `Sent to the ${who} as a bearer token.`),
    webhookSecrets: Type.Optional(
      Type.String({
        pattern: `^${SECRET}(?:,${SECRET}){0,3}$`,
        secret: true,
        expected: '1 to 4 secrets of 16 to 512 visible ASCII characters, with commas between',
        env: `${env}_WEBHOOK_SECRETS`,
        description: `What the ${who}'s webhooks are signed with; any of them signs, so that they can be changed. None: webhooks are answered 404.`,
      }),
    ),
    webhookWindowMs: milliseconds(
      `${env}_WEBHOOK_WINDOW_MS`,
      5 * MINUTE_MS,
      "How far a webhook's time may be from this clock.",
    ),
    timeoutMs: milliseconds(`${env}_TIMEOUT_MS`, 10 * SECOND_MS, 'How long one call may take.', 10),
    connections: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 16,
      env: `${env}_CONNECTIONS`,
      description: 'Calls at a time, per partition.',
    }),
    backoffMs: milliseconds(
      `${env}_BACKOFF_MS`,
      SECOND_MS,
      'Wait before what is not known is asked again; each wait is twice the one before.',
    ),
    maxBackoffMs: milliseconds(`${env}_MAX_BACKOFF_MS`, 5 * MINUTE_MS, 'The longest wait.'),
    alarmMs: milliseconds(
      `${env}_ALARM_MS`,
      15 * MINUTE_MS,
      'How long something may stay unknown until there is an incident. It is asked for all the same.',
    ),
  }
}

export const payments = Type.Object(
  {
    ...providerKeys('MILLRACE_PAYMENTS', 'payment provider', 'money'),
    graceMs: milliseconds(
      'MILLRACE_PAYMENTS_GRACE_MS',
      MINUTE_MS,
      'How long after the deadline of a charge the provider may still come to know of it: only then "there is none" counts.',
    ),
  },
  section,
)

export const deliveries = Type.Object(
  {
    ...providerKeys('MILLRACE_DELIVERIES', 'courier', 'parcels'),
    lookMs: milliseconds(
      'MILLRACE_DELIVERIES_LOOK_MS',
      MINUTE_MS,
      'Wait before a parcel is looked at, for news that did not come; each wait is twice the one before.',
    ),
    maxLookMs: milliseconds('MILLRACE_DELIVERIES_MAX_LOOK_MS', HOUR_MS, 'The longest of these waits.'),
  },
  section,
)
