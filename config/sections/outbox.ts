/** A table of a shop's own database, whose rows are published to the log. */
import Type from 'typebox'
import { DAY_MS, SECOND_MS, filePath, limitOrNone, milliseconds, section } from './kinds.ts'

export const outbox = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        maxLength: 4096,
        secret: true,
        expected: 'postgres://user:password@host:port/database, without parameters',
        env: 'MILLRACE_OUTBOX_URL',
        description: 'Address of the server and database with the outbox. Without one, none is read.',
      }),
    ),
    table: Type.String({
      pattern: '^[a-z_][a-z0-9_]{0,62}(\\.[a-z_][a-z0-9_]{0,62})?$',
      expected: 'a name of small letters, digits and underscores, or schema.name',
      default: 'outbox',
      env: 'MILLRACE_OUTBOX_TABLE',
      description: 'The table, as `samples/outbox/outbox.sql` makes it.',
    }),
    tls: Type.Boolean({
      default: false,
      env: 'MILLRACE_OUTBOX_TLS',
      description: "Whether the connection is encrypted, and the server's certificate verified.",
    }),
    tlsCaFile: filePath(
      'MILLRACE_OUTBOX_TLS_CA_FILE',
      "Certificates to trust, PEM; the system's unless given.",
    ),
    pollMs: milliseconds(
      'MILLRACE_OUTBOX_POLL_MS',
      SECOND_MS,
      'Between two looks where no notice comes.',
      10,
    ),
    batchRecords: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 200,
      env: 'MILLRACE_OUTBOX_BATCH_RECORDS',
      description: 'Rows that are read and published together, at most.',
    }),
    keepMs: limitOrNone(
      'MILLRACE_OUTBOX_KEEP_MS',
      7 * DAY_MS,
      'How long published rows stay in the table; or `unlimited`.',
    ),
  },
  section,
)
