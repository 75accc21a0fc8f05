/** What users are told as it comes. */
import Type from 'typebox'
import { DAY_MS, milliseconds, section } from './kinds.ts'

export const notifier = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      env: 'MILLRACE_NOTIFIER_ENABLED',
      description:
        'Whether users are told what concerns them, at `/v1/users/{userId}/events`. It costs a record more for each verdict on a coupon and each status of an order.',
    }),
    keepMs: milliseconds(
      'MILLRACE_NOTIFIER_KEEP_MS',
      30 * DAY_MS,
      "How long a user's news is kept after the last of it; what happened longer ago is no news.",
    ),
  },
  section,
)
