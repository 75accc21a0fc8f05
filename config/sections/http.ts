/** The HTTP doors: who gets in, and how processes of one shop speak to each other. */
import Type from 'typebox'
import { nameList, namePattern, secret, section } from './kinds.ts'

const producer = Type.Object(
  {
    id: Type.String({ pattern: namePattern }),
    topics: Type.Array(Type.String({ pattern: namePattern }), { minItems: 1 }),
    tokenFile: Type.Optional(Type.String({ minLength: 1 })),
    tokenEnv: Type.Optional(Type.String({ pattern: '^[A-Z][A-Z0-9_]*$' })),
  },
  section,
)

export const http = Type.Object(
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
)

export const auth = Type.Object(
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
)

export const peers = Type.Object(
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
)
