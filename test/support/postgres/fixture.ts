/** What the run starts once for all files of `test/connectors`; each takes it with `inject('postgres')`. */

export interface PostgresFixture {
  /** Of the server, as its superuser, without a database: `postgres://postgres@127.0.0.1:<port>`. */
  readonly url: string
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresFixture
  }
}
