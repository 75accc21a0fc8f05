/** The Kafka cluster and its schema registry. */
import Type from 'typebox'
import { SECOND_MS, addressList, filePath, milliseconds, password, section } from './kinds.ts'

export const kafka = Type.Object(
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
      description: 'Time between two commits of a topology in Kafka mode; in place of `commitIntervalMs`.',
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
      description: 'Whether missing topics are made at the start; else `millrace topics apply` makes them.',
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
    tlsCertFile: filePath('MILLRACE_KAFKA_TLS_CERT_FILE', 'Own certificate, PEM, where brokers ask for one.'),
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
)

export const registry = Type.Object(
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
)
