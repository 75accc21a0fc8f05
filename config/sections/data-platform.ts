/** Where order lines, coupon uses and points are stored for analysis. */
import Type from 'typebox'
import { SECOND_MS, filePath, milliseconds, section } from './kinds.ts'

export const dataPlatform = Type.Object(
  {
    target: Type.Enum(['off', 'pglite', 'postgres'], {
      default: 'off',
      env: 'MILLRACE_DATA_PLATFORM_TARGET',
      description:
        'The data platform: `pglite` is a PostgreSQL inside this process, in `dataDir`; `postgres` a server at `dataPlatform.url`.',
    }),
    url: Type.Optional(
      Type.String({
        maxLength: 4096,
        secret: true,
        expected: 'postgres://user:password@host:port/database, without parameters',
        env: 'MILLRACE_DATA_PLATFORM_URL',
        description: 'Address of the server and database, where `dataPlatform.target` is `postgres`.',
      }),
    ),
    tls: Type.Boolean({
      default: false,
      env: 'MILLRACE_DATA_PLATFORM_TLS',
      description: "Whether the connection is encrypted, and the server's certificate verified.",
    }),
    tlsCaFile: filePath(
      'MILLRACE_DATA_PLATFORM_TLS_CA_FILE',
      "Certificates to trust, PEM; the system's unless given.",
    ),
    connections: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 2,
      env: 'MILLRACE_DATA_PLATFORM_CONNECTIONS',
      description: 'Connections to the server, at most.',
    }),
    batchRecords: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      env: 'MILLRACE_DATA_PLATFORM_BATCH_RECORDS',
      description: 'Records in one transaction, at most.',
    }),
    statementTimeoutMs: milliseconds(
      'MILLRACE_DATA_PLATFORM_STATEMENT_TIMEOUT_MS',
      30 * SECOND_MS,
      'A statement that takes longer has failed and is tried again.',
      SECOND_MS,
    ),
  },
  section,
)
