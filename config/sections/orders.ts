/** Orders, and the points that they earn. */
import Type from 'typebox'
import { DAY_MS, MAX_MS, MINUTE_MS, SECOND_MS, limitOrNone, milliseconds, section } from './kinds.ts'

export const orders = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      env: 'MILLRACE_ORDERS_ENABLED',
      description: 'Whether the shop takes orders: stock, points, the use of coupons, payment, delivery.',
    }),
    sandboxes: Type.Boolean({
      default: true,
      env: 'MILLRACE_ORDERS_SANDBOXES',
      description:
        'Whether a payment provider and a courier are played where `payments.url` and `deliveries.url` name none: all is paid and delivered. Off: their answers come from whoever writes them. A played one is said at the start.',
    }),
    payByMs: milliseconds(
      'MILLRACE_ORDERS_PAY_BY_MS',
      30 * MINUTE_MS,
      'How long an order can be paid; then it fails, and everything is given back.',
    ),
    completeOn: Type.Enum(['started', 'delivered'], {
      default: 'started',
      env: 'MILLRACE_ORDERS_COMPLETE_ON',
      description: 'What completes an order: that its goods are on their way, or that they are there.',
    }),
    stepTimeoutMs: milliseconds(
      'MILLRACE_ORDERS_STEP_TIMEOUT_MS',
      30 * SECOND_MS,
      'How long stock, points, coupon or a refund may take to answer.',
    ),
    stepAttempts: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 5,
      env: 'MILLRACE_ORDERS_STEP_ATTEMPTS',
      description: 'How often each of them is asked before the order gives up.',
    }),
    backoffMs: milliseconds(
      'MILLRACE_ORDERS_BACKOFF_MS',
      SECOND_MS,
      'Wait before the second time; each wait is twice the one before.',
    ),
    maxBackoffMs: milliseconds('MILLRACE_ORDERS_MAX_BACKOFF_MS', 30 * SECOND_MS, 'The longest wait.'),
    deliveryTimeoutMs: milliseconds(
      'MILLRACE_ORDERS_DELIVERY_TIMEOUT_MS',
      7 * DAY_MS,
      'How long the courier has to start, and then to deliver.',
    ),
    couponWaitMs: milliseconds(
      'MILLRACE_ORDERS_COUPON_WAIT_MS',
      10 * SECOND_MS,
      'How long an order waits for a coupon that was issued a moment ago.',
    ),
    keepMs: milliseconds(
      'MILLRACE_ORDERS_KEEP_MS',
      30 * DAY_MS,
      'How long services know what came to nothing; a command that the log has had for longer is put aside.',
    ),
    returnsMs: milliseconds(
      'MILLRACE_ORDERS_RETURNS_MS',
      400 * DAY_MS,
      'How long an order is known after its end: the time for returns.',
    ),
  },
  section,
)

export const points = Type.Object(
  {
    rateBp: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 100,
      env: 'MILLRACE_POINTS_RATE_BP',
      description: 'Points that a completed order earns, hundredths of a per cent of what was paid.',
    }),
    validForMs: limitOrNone(
      'MILLRACE_POINTS_VALID_FOR_MS',
      365 * DAY_MS,
      'How long points can be spent; or `unlimited`.',
      MAX_MS,
    ),
  },
  section,
)
