/** Mails to customers. */
import Type from 'typebox'
import { DAY_MS, SECOND_MS, filePath, milliseconds, password, section } from './kinds.ts'

export const mail = Type.Object(
  {
    transport: Type.Enum(['off', 'files', 'smtp'], {
      default: 'files',
      env: 'MILLRACE_MAIL_TRANSPORT',
      description:
        'Where mails go: nowhere, into `.eml` files, or to a mail server. Without orders there are none.',
    }),
    from: Type.String({
      pattern: '^[^\\s@<>]{1,64}@[A-Za-z0-9.-]{1,253}$',
      maxLength: 320,
      expected: 'an address',
      default: 'shop@localhost',
      env: 'MILLRACE_MAIL_FROM',
      description: 'Address that mails come from; what follows its @ also ends Message-IDs.',
    }),
    shopName: Type.String({
      minLength: 1,
      maxLength: 100,
      default: 'Millrace',
      env: 'MILLRACE_MAIL_SHOP_NAME',
      description: 'Name of the shop in mails.',
    }),
    language: Type.Enum(['en', 'ko'], {
      default: 'en',
      env: 'MILLRACE_MAIL_LANGUAGE',
      description: "Language of mails to users whose profile's locale is none of these.",
    }),
    perSecond: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 10,
      env: 'MILLRACE_MAIL_PER_SECOND',
      description: 'Mails that a process sends in a second, at most. Files are not held up.',
    }),
    maxAgeMs: milliseconds(
      'MILLRACE_MAIL_MAX_AGE_MS',
      2 * DAY_MS,
      'What happened longer ago is no news: no mail is asked for. A mail that its server put off for that long has failed.',
    ),
    directory: filePath(
      'MILLRACE_MAIL_DIRECTORY',
      'Where `.eml` files go; `mail` in the data directory unless told.',
    ),
    host: Type.String({
      minLength: 1,
      maxLength: 253,
      default: 'localhost',
      env: 'MILLRACE_MAIL_HOST',
      description: 'The mail server.',
    }),
    port: Type.Integer({
      minimum: 1,
      maximum: 65_535,
      default: 587,
      env: 'MILLRACE_MAIL_PORT',
      description: 'Its port.',
    }),
    security: Type.Enum(['tls', 'starttls', 'none'], {
      default: 'starttls',
      env: 'MILLRACE_MAIL_SECURITY',
      description: 'TLS from the first byte, TLS that is asked for and insisted on, or none.',
    }),
    ca: filePath('MILLRACE_MAIL_CA', "PEM of who signed the server's certificate; the system's unless told."),
    user: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 320,
        env: 'MILLRACE_MAIL_USER',
        description: 'Name for the login; without one there is none.',
      }),
    ),
    password: password('MILLRACE_MAIL_PASSWORD', 'Password for the login.'),
    connections: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 5,
      env: 'MILLRACE_MAIL_CONNECTIONS',
      description: 'Connections to the mail server of each task, at most.',
    }),
    timeoutMs: milliseconds(
      'MILLRACE_MAIL_TIMEOUT_MS',
      10 * SECOND_MS,
      'How long the mail server may take to answer.',
      100,
    ),
  },
  section,
)
