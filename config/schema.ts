/**
 * The one description of everything that can be configured: type, limits, default, environment variable, meaning.
 *
 * Documentation, checks and types follow from it. Units are last in the names.
 */
import Type, { type Static } from 'typebox'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 3600 * SECOND_MS
const DAY_MS = 24 * HOUR_MS
const MEBIBYTE = 1024 * 1024
/** Largest that a timer or a date can be counted with. */
const MAX_MS = 1000 * 365 * DAY_MS

/** Names that become part of topics, directories and metrics. */
export const namePattern = '^[A-Za-z0-9._-]{1,249}$'

const section = { additionalProperties: false } as const

function milliseconds(env: string, value: number, description: string, minimum = 1) {
  return Type.Integer({ minimum, maximum: MAX_MS, default: value, env, description })
}

function bytes(env: string, value: number, description: string, minimum = 1024) {
  return Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, default: value, env, description })
}

/** Milliseconds or bytes of which there can be no end. */
function limitOrNone(
  env: string,
  value: number | 'unlimited',
  description: string,
  maximum = Number.MAX_SAFE_INTEGER,
) {
  const limit = Type.Integer({ minimum: 1, maximum })
  return Type.Union([limit, Type.Literal('unlimited')], { default: value, env, description })
}

function secret(env: string, description: string) {
  const expected = '16 to 4096 visible ASCII characters'
  return Type.Optional(
    Type.String({ pattern: '^[\\x21-\\x7e]{16,4096}$', secret: true, expected, env, description }),
  )
}

/** Like a secret, but of whatever strength others gave it. */
function password(env: string, description: string) {
  return Type.Optional(
    Type.String({ minLength: 1, maxLength: 4096, secret: true, expected: 'a password', env, description }),
  )
}

function filePath(env: string, description: string) {
  return Type.Optional(Type.String({ minLength: 1, path: true, env, description }))
}

/** Names, in an environment variable also separated by commas. */
function nameList(env: string, value: readonly string[], description: string) {
  const name = Type.String({ pattern: namePattern })
  return Type.Array(name, { default: [...value], list: true, env, description, expected: 'a list of names' })
}

function addressList(env: string, description: string) {
  const address = Type.String({ pattern: '^[^\\s,/]+:\\d{1,5}$', expected: 'host:port' })
  return Type.Array(address, { default: [], list: true, env, description, expected: 'a list of host:port' })
}

const topicOverride = Type.Object(
  {
    partitions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
    retentionMs: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('unlimited')])),
    retentionBytes: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('unlimited')])),
  },
  section,
)

const producer = Type.Object(
  {
    id: Type.String({ pattern: namePattern }),
    topics: Type.Array(Type.String({ pattern: namePattern }), { minItems: 1 }),
    tokenFile: Type.Optional(Type.String({ minLength: 1 })),
    tokenEnv: Type.Optional(Type.String({ pattern: '^[A-Z][A-Z0-9_]*$' })),
  },
  section,
)

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
    kafka: Type.Object(
      {
        brokers: addressList(
          'MILLRACE_KAFKA_BROKERS',
          'Brokers to begin with, `host:port` each. Without any, the log is embedded in `dataDir`.',
        ),
        guarantee: Type.Enum(['exactly-once', 'at-least-once'], {
          default: 'exactly-once',
          env: 'MILLRACE_KAFKA_GUARANTEE',
          description:
            'Whether a commit is one transaction, or outputs and then positions: records may then come twice.',
        }),
        commitIntervalMs: Type.Integer({
          minimum: 1,
          maximum: 60 * SECOND_MS,
          default: 100,
          env: 'MILLRACE_KAFKA_COMMIT_INTERVAL_MS',
          description:
            'Time between two commits of a topology in Kafka mode; in place of `commitIntervalMs`.',
        }),
        replicationFactor: Type.Integer({
          minimum: 1,
          maximum: 32_767,
          default: 1,
          env: 'MILLRACE_KAFKA_REPLICATION_FACTOR',
          description: 'Copies of each topic that is made; 3 where a broker may fail.',
        }),
        minInSyncReplicas: Type.Integer({
          minimum: 1,
          maximum: 32_767,
          default: 1,
          env: 'MILLRACE_KAFKA_MIN_IN_SYNC_REPLICAS',
          description: 'Copies that must have a write before it counts; 2 of 3.',
        }),
        createTopics: Type.Boolean({
          default: true,
          env: 'MILLRACE_KAFKA_CREATE_TOPICS',
          description:
            'Whether missing topics are made at the start; else `millrace topics apply` makes them.',
        }),
        slot: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9_-]{1,64}$',
            expected: 'a name of up to 64 letters, digits, underscores and hyphens',
            env: 'MILLRACE_KAFKA_SLOT',
            description:
              "This process's place in its groups: under the same slot a restarted process has its tasks back at once. Drawn once per `dataDir` when it is not given.",
          }),
        ),
        leaveOnStop: Type.Boolean({
          default: false,
          env: 'MILLRACE_KAFKA_LEAVE_ON_STOP',
          description:
            'Whether a process that is stopped hands its tasks over at once. Else it is expected back within the session timeout.',
        }),
        standbys: Type.Integer({
          minimum: 0,
          maximum: 8,
          default: 0,
          env: 'MILLRACE_KAFKA_STANDBYS',
          description:
            'Other processes that keep the state of each task up, so that it runs there at once when its own process is gone. The most that any process of the deployment asks for count.',
        }),
        sessionTimeoutMs: milliseconds(
          'MILLRACE_KAFKA_SESSION_TIMEOUT_MS',
          10 * SECOND_MS,
          'A process that is silent for so long is dead, and others take its tasks.',
          SECOND_MS,
        ),
        transactionTimeoutMs: milliseconds(
          'MILLRACE_KAFKA_TRANSACTION_TIMEOUT_MS',
          30 * SECOND_MS,
          'A commit that takes longer is aborted by the brokers.',
          SECOND_MS,
        ),
        compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
          default: 'none',
          env: 'MILLRACE_KAFKA_COMPRESSION',
          description: 'How batches are compressed.',
        }),
        tls: Type.Boolean({
          default: false,
          env: 'MILLRACE_KAFKA_TLS',
          description: 'Whether connections to the brokers are encrypted, and their certificates verified.',
        }),
        tlsCaFile: filePath(
          'MILLRACE_KAFKA_TLS_CA_FILE',
          "Certificates to trust, PEM; the system's unless given.",
        ),
        tlsCertFile: filePath(
          'MILLRACE_KAFKA_TLS_CERT_FILE',
          'Own certificate, PEM, where brokers ask for one.',
        ),
        tlsKeyFile: filePath('MILLRACE_KAFKA_TLS_KEY_FILE', 'Its key, PEM.'),
        saslMechanism: Type.Enum(['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'], {
          default: 'none',
          env: 'MILLRACE_KAFKA_SASL_MECHANISM',
          description: 'How this process says who it is. `plain` needs `kafka.tls`.',
        }),
        saslUsername: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 255,
            env: 'MILLRACE_KAFKA_SASL_USERNAME',
            description: 'User name for `plain` and `scram-…`.',
          }),
        ),
        saslPassword: password('MILLRACE_KAFKA_SASL_PASSWORD', 'Password for `plain` and `scram-…`.'),
        oauthTokenFile: filePath(
          'MILLRACE_KAFKA_OAUTH_TOKEN_FILE',
          'File with the token for `oauthbearer`; read again for each connection.',
        ),
      },
      section,
    ),
    registry: Type.Object(
      {
        url: Type.Optional(
          Type.String({
            pattern: '^https?://[^\\s]+$',
            expected: 'an http or https URL',
            env: 'MILLRACE_REGISTRY_URL',
            description:
              "Root of a schema registry with Confluent's API, for Kafka mode. Without one, schema ids are those of this program.",
          }),
        ),
        username: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 255,
            env: 'MILLRACE_REGISTRY_USERNAME',
            description: 'User name for the registry.',
          }),
        ),
        password: password('MILLRACE_REGISTRY_PASSWORD', 'Password for the registry.'),
        register: Type.Boolean({
          default: false,
          env: 'MILLRACE_REGISTRY_REGISTER',
          description:
            'Whether missing schemas are registered at the start; else `millrace schemas register` does it.',
        }),
      },
      section,
    ),
    peers: Type.Object(
      {
        address: Type.Optional(
          Type.String({
            pattern: '^https?://[A-Za-z0-9.\\[\\]:_-]+$',
            expected: 'http://host:port or https://host:port',
            env: 'MILLRACE_PEERS_ADDRESS',
            description:
              'Where other processes of the deployment reach this one; `http://host:port` of `http` unless given.',
          }),
        ),
        allow: nameList(
          'MILLRACE_PEERS_ALLOW',
          ['127.0.0.1', 'localhost'],
          'Hosts that queries may be passed on to; any other is refused.',
        ),
        secret: secret(
          'MILLRACE_PEERS_SECRET',
          'Shared by all processes: shows that a query was passed on by one of them.',
        ),
      },
      section,
    ),
    http: Type.Object(
      {
        host: Type.String({
          minLength: 1,
          maxLength: 253,
          default: '127.0.0.1',
          env: 'MILLRACE_HOST',
          description:
            'Address to listen on. One that is not loopback needs `auth.readToken` and `auth.adminToken`.',
        }),
        port: Type.Integer({
          minimum: 0,
          maximum: 65_535,
          default: 8080,
          env: 'MILLRACE_PORT',
          description: 'Port to listen on; 0 takes a free one.',
        }),
        maxConnections: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 4000,
          env: 'MILLRACE_HTTP_MAX_CONNECTIONS',
          description: 'Open connections; more are refused.',
        }),
        clientRequestsPerSecond: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
          env: 'MILLRACE_HTTP_CLIENT_REQUESTS_PER_SECOND',
          description: 'Requests of one client per second; beyond, it gets 429.',
        }),
        clientBurst: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          env: 'MILLRACE_HTTP_CLIENT_BURST',
          description: 'Requests that a client which was quiet may send at once.',
        }),
      },
      section,
    ),
    auth: Type.Object(
      {
        readToken: secret('MILLRACE_READ_TOKEN', 'Token of who may read.'),
        serviceToken: secret('MILLRACE_SERVICE_TOKEN', "Token of the shop's own services."),
        adminToken: secret('MILLRACE_ADMIN_TOKEN', 'Token of who may change campaigns and products.'),
        producers: Type.Array(producer, {
          default: [],
          env: 'MILLRACE_PRODUCERS',
          description:
            'Who may send events to `POST /v1/events/{topic}`: `{id, topics, tokenFile}`, or `tokenEnv` with the name of a variable in place of `tokenFile`.',
        }),
      },
      section,
    ),
    shop: Type.Object(
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
    ),
    topics: Type.Object(
      {
        partitions: Type.Integer({
          minimum: 1,
          maximum: 1024,
          default: 6,
          env: 'MILLRACE_PARTITIONS',
          description: 'Partitions of every topic. They stay as they were when the topic was made.',
        }),
        retentionMs: limitOrNone(
          'MILLRACE_RETENTION_MS',
          7 * DAY_MS,
          'Records older than this may go once every task has processed them; or `unlimited`.',
        ),
        retentionBytes: limitOrNone(
          'MILLRACE_RETENTION_BYTES',
          'unlimited',
          'Bytes of a partition beyond which its oldest records may go; or `unlimited`.',
        ),
        overrides: Type.Record(Type.String({ pattern: namePattern }), topicOverride, {
          // What is no name is no key: without this, whatever stands under it would not be looked at.
          additionalProperties: false,
          default: {},
          env: 'MILLRACE_TOPIC_OVERRIDES',
          description: 'Per topic: `{partitions, retentionMs, retentionBytes}` in place of the above.',
        }),
      },
      section,
    ),
    ranking: Type.Object(
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
    ),
    sentinel: Type.Object(
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
            'Of users and requestIds one in so many is watched for I2 and I4; the other invariants are checked on everything.',
        }),
        resolveAfterMs: milliseconds(
          'MILLRACE_SENTINEL_RESOLVE_AFTER_MS',
          DAY_MS,
          'An incident that is not found again for so long is resolved.',
        ),
      },
      section,
    ),
    orders: Type.Object(
      {
        enabled: Type.Boolean({
          default: false,
          env: 'MILLRACE_ORDERS_ENABLED',
          description: 'Whether the shop takes orders: stock, points, the use of coupons, payment, delivery.',
        }),
        sandboxes: Type.Boolean({
          default: true,
          env: 'MILLRACE_ORDERS_SANDBOXES',
          description:
            'Whether a payment provider and a courier are played: all is paid and delivered. Off: their answers come by HTTP.',
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
    ),
    points: Type.Object(
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
    ),
    log: Type.Object(
      {
        maxDiskBytes: bytes(
          'MILLRACE_MAX_DISK_BYTES',
          20 * 1024 * MEBIBYTE,
          'Size of the data directory beyond which writes get 503; what is accepted is still processed.',
          16 * MEBIBYTE,
        ),
        maxRecordBytes: bytes('MILLRACE_MAX_RECORD_BYTES', MEBIBYTE, 'Size of one record.'),
        maxWaitingBytes: bytes(
          'MILLRACE_MAX_WAITING_BYTES',
          32 * MEBIBYTE,
          'Bytes of writes that wait for the disk; beyond, they get 503.',
        ),
        maxWaitingRecords: Type.Integer({
          minimum: 1,
          maximum: 10_000_000,
          default: 100_000,
          env: 'MILLRACE_MAX_WAITING_RECORDS',
          description: 'The same in records.',
        }),
        writeBufferBytes: bytes(
          'MILLRACE_WRITE_BUFFER_BYTES',
          16 * MEBIBYTE,
          "LevelDB's write buffer; up to two are held.",
          65_536,
        ),
        blockCacheBytes: bytes(
          'MILLRACE_BLOCK_CACHE_BYTES',
          16 * MEBIBYTE,
          "LevelDB's blocks in memory.",
          65_536,
        ),
        tailCacheBytes: bytes(
          'MILLRACE_TAIL_CACHE_BYTES',
          16 * MEBIBYTE,
          'Newest records of all partitions in memory.',
        ),
      },
      section,
    ),
    backpressure: Type.Object(
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
    ),
    deadLetters: Type.Object(
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
    ),
    metrics: Type.Object(
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
    ),
    logging: Type.Object(
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
    ),
  },
  section,
)

export type ConfigValues = Static<typeof configSchema>
