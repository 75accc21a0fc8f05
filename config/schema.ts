/**
 * The one description of everything that can be configured: type, limits, default, environment variable, meaning.
 *
 * Documentation, checks and types follow from it. Units are last in the names.
 */
import Type, { type Static } from 'typebox'
import { kafka, registry } from './sections/kafka.ts'
import { auth, http, peers } from './sections/http.ts'
import { dataPlatform } from './sections/data-platform.ts'
import { outbox } from './sections/outbox.ts'
import { ranking, shop } from './sections/shop.ts'
import { orders, points } from './sections/orders.ts'
import { mail } from './sections/mail.ts'
import { notifier } from './sections/notifier.ts'
import { deliveries, payments } from './sections/providers.ts'
import { privacy } from './sections/privacy.ts'
import { bindings } from './sections/bindings.ts'
import { log, topics } from './sections/log.ts'
import { backpressure, deadLetters, sentinel } from './sections/care.ts'
import { logging, metrics } from './sections/watching.ts'
import { SECOND_MS, nameList, section } from './sections/kinds.ts'

export const configSchema = Type.Object(
  {
    application: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,100}$',
      expected: 'a name of up to 100 letters, digits, dots, underscores and hyphens',
      default: 'millrace',
      env: 'MILLRACE_APPLICATION',
      description: 'Name of the deployment. A data directory belongs to one application and refuses others.',
    }),
    dataDir: Type.String({
      minLength: 1,
      default: '.millrace',
      path: true,
      env: 'MILLRACE_DATA_DIR',
      description:
        'Where log and state are kept. A relative path stays below the working directory; others are absolute.',
    }),
    commitIntervalMs: Type.Integer({
      minimum: 1,
      maximum: 60 * SECOND_MS,
      default: 200,
      env: 'MILLRACE_COMMIT_INTERVAL_MS',
      description: 'Time between two commits while work waits; without waiting work a commit begins at once.',
    }),
    topologies: nameList(
      'MILLRACE_TOPOLOGIES',
      [],
      'Topologies that this process runs, of those that `millrace topology` shows; empty runs all.',
    ),
    workers: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 1,
      env: 'MILLRACE_WORKERS',
      description:
        'Processes on this machine in Kafka mode, each with a directory and a place in the groups of its own. The first listens on `http.port`, the others on the ports after it.',
    }),
    kafka,
    registry,
    peers,
    http,
    auth,
    shop,
    topics,
    ranking,
    sentinel,
    orders,
    points,
    payments,
    deliveries,
    dataPlatform,
    outbox,
    privacy,
    mail,
    notifier,
    bindings,
    log,
    backpressure,
    deadLetters,
    metrics,
    logging,
  },
  section,
)

export type ConfigValues = Static<typeof configSchema>
